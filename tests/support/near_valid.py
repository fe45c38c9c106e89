"""Documents that are almost those of the golden cases: what people write, with something changed.

    golden case -> one of its documents -> places in it, by its model -> other values there

A value is of the type that the model has there, ordinary or extreme; sometimes it is any JSON at all.
Everything is drawn by Hypothesis, so that a case that fails is shrunk and can be run again.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from hypothesis import strategies as st

from kuma.policies.catalogue import REGISTRY
from kuma.resources.kind import Kind
from kuma.resources.spec import Json, SpecModel
from tests.golden.case import find_cases
from tests.support.annotations import PAIRS, is_model, options
from tests.support.envoy_static import a_key_pair

Raw = dict[str, Any]
Draw = st.DrawFn
NUMBERS = (0, 1, -1, 2, 3, 50, 99, 100, 101, 200, 599, 600, 8080, 65535, 65536, 2**31 - 1, 2**31)
HUGE = (-(2**31), 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63, 2**64, 10**30)
DURATIONS = (
    *("0s", "1ns", "1us", "1ms", "50ms", "51ms", "1s", "1.5s", "90s", "15m", "1h30m", "2h"),
    *("-1s", "2540400h", "2562047h", "999999999h", "1d", "", "s", "1", "1e3s", " 1s", "１s"),
)
TEXTS = (
    *("", " ", "a", "A", "*", "/", ".", "-", "_", "a.b", "a-b", "a_b", "a/b", "/a", "/a/", "//"),
    *("%", "%%", "%PROTOCOL%", "%REQ(", "%START_TIME(%Y)%", "100% sure", "{{", "{{ .Name }}", "$1"),
    *("\\1", "\\", "(", "[a", "(?i)a", "(?=a)", "a{1001}", ".*", "^a$", "[[:alpha:]]", "\\pN"),
    *("é", "ü" * 200, "\U0001f600", "\u202e", "a\u0000b", "a\nb", "a\r\nb", "\t", "\x7f", "\u2028"),
    *("a" * 63, "a" * 64, "a" * 253, "a" * 254, "x" * 20_000, "host", ":path", ":authority"),
    *("content-length", "x-a", "x a", "X-Ä", "1", "0", "-1", "1.5", "1e400", "nan", "50", "100"),
    *("http", "tcp", "grpc", "5xx", "reset", "429", "1.2.3.4", "::1", "[::1]", "[::1]:80", "0.0.0.0"),
    *("1.2.3.4:80", "1.2.3.4:0", "a:80", "a:b", "a:99999", "a:80/x", "http://a:80", "http://a"),
    *("https://a/b", "http://a:80/b?c#d", "ftp://a", "unix:///a", "/tmp/a.log", "spiffe://a/b"),
    *("spiffe://a", "spiffe://", "Mesh", "default", "backend", "web", "kuma.io/service", "true"),
    *("1kbps", "1Gbps", "0Mbps", "1.5Mbps", "99999999999Gbps", "{", '{"a": 1}', "a: 1", "a: [", "@"),
)  # fmt: skip


@dataclass(frozen=True)
class Context:
    """A golden case: all of its documents, and the proxy that it is about."""

    path: Path
    proxy: str
    zone: str
    features: tuple[str, ...]
    documents: tuple[str, ...]
    """In JSON, since they may not change."""

    def kinds(self) -> Iterator[tuple[int, str]]:
        for position, text in enumerate(self.documents):
            yield position, json.loads(text)["type"]


@cache
def contexts() -> tuple[Context, ...]:
    return tuple(_context(case.path) for case in find_cases())


@cache
def places_of(kind: str) -> tuple[tuple[Context, int], ...]:
    """Where the documents of a kind are."""
    found = (
        (context, position)
        for context in contexts()
        for position, named in context.kinds()
        if named == kind
    )
    return tuple(found)


def _context(path: Path) -> Context:
    asked = yaml.safe_load(path.read_text())
    return Context(
        path=path,
        proxy=asked["proxy"],
        zone=asked.get("zone", ""),
        features=tuple(asked.get("features", ())),
        documents=tuple(json.dumps(_with_certificates(each)) for each in asked["resources"]),
    )


def _with_certificates(document: Raw) -> Raw:
    """Golden cases have words in their place, to be read by people."""
    if document["type"] == "MeshTrust":
        for bundle in document["spec"]["caBundles"]:
            bundle["pem"]["value"] = a_key_pair()[0].decode()
    return document


@st.composite
def near_valid(draw: Draw, kind: str) -> tuple[Context, int, Raw]:
    """A context, and what stands at one position of its documents instead."""
    context, position = draw(st.sampled_from(places_of(kind)))
    document = json.loads(context.documents[position])
    for _ in range(draw(st.integers(1, 3))):
        mutate(draw, REGISTRY.kind(kind), document)
    return context, position, document


def mutate(draw: Draw, kind: Kind[Any], document: Raw) -> None:
    """Changes one place of the spec."""
    spec = document if kind.spec_at_root else document.setdefault("spec", {})
    if not isinstance(spec, dict):
        return
    places = list(_places(kind.spec, spec))
    container, key, annotation = draw(st.sampled_from(places))
    there = isinstance(container, list) or key in container
    change = draw(st.sampled_from(("set", "set", "set", "drop", "repeat", "junk")))
    if change == "drop" and there:
        del container[key]
    elif change == "repeat" and isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    elif change == "junk":
        container[key] = draw(JUNK)
    else:
        container[key] = value_of(draw, annotation)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


def _places(model: type[SpecModel], raw: Raw) -> Iterator[tuple[Any, Any, Any]]:
    """Every field of `raw` and of what is in it, also those that could be there."""
    for name, info in model.model_fields.items():
        field = info.alias or name
        yield raw, field, info.annotation
        yield from _within(info.annotation, raw.get(field))


def _within(annotation: Any, raw: object) -> Iterator[tuple[Any, Any, Any]]:
    for option in options(annotation):
        if isinstance(raw, dict) and is_model(option):
            yield from _places(option, raw)
        elif isinstance(raw, list) and get_origin(option) is tuple and option != PAIRS:
            inner = get_args(option)[0]
            for index, each in enumerate(raw):
                yield raw, index, inner
                yield from _within(inner, each)
        elif isinstance(raw, dict) and get_origin(option) in {dict, Mapping}:
            inner = get_args(option)[1]
            for key, each in raw.items():
                yield raw, key, inner
                yield from _within(inner, each)


def value_of(draw: Draw, annotation: Any, depth: int = 0) -> Any:
    """A JSON value of that type, as far as its type says."""
    option = draw(st.sampled_from(options(annotation)))
    origin = get_origin(option)
    if option == PAIRS or origin in {dict, Mapping}:
        inner = str if option == PAIRS else get_args(option)[1]
        keys = draw(st.lists(_texts(), max_size=2))
        return {key: value_of(draw, inner, depth + 1) for key in keys}
    if origin is tuple:
        most = 0 if depth > 6 else 3
        return [
            value_of(draw, get_args(option)[0], depth + 1)
            for _ in range(draw(st.integers(0, most)))
        ]
    if origin is Literal:
        return draw(st.sampled_from(get_args(option)))
    if is_model(option):
        return _object(draw, option, depth)
    if isinstance(option, type) and issubclass(option, Enum):
        return draw(st.sampled_from([each.value for each in option]))
    if option is Json:
        return draw(JUNK)
    return draw(_leaf(option))


def _object(draw: Draw, model: type[SpecModel], depth: int) -> Raw:
    made = {}
    for name, info in model.model_fields.items():
        likely = 1.0 if info.is_required() else max(0.1, 0.6 - depth / 8)
        if draw(st.floats(0, 1)) < likely:
            made[info.alias or name] = value_of(draw, info.annotation, depth + 1)
    return made


def _leaf(option: Any) -> st.SearchStrategy[Any]:
    if option is bool:
        return st.booleans()
    if option is int:
        return st.sampled_from(NUMBERS) | st.sampled_from(HUGE) | st.integers(0, 20)
    if option is float:
        return st.sampled_from((0, 0.5, 1, 99.9, 100, 1e300, -1, 1e-300)) | st.floats(
            allow_nan=False
        )
    if option is timedelta:
        return st.sampled_from(DURATIONS)
    if option is datetime:
        return st.sampled_from(
            ("2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
        )
    if option is bytes:
        return st.sampled_from(("", "YQ==", "a", "é", "YQ" * 1000))
    return _texts()


def _texts() -> st.SearchStrategy[str]:
    return st.sampled_from(TEXTS) | st.sampled_from(_written()) | st.text(max_size=8)


@cache
def _written() -> tuple[str, ...]:
    """The texts that golden cases have, which name what there is."""

    def texts(raw: object) -> Iterator[str]:
        if isinstance(raw, str):
            yield raw
        elif isinstance(raw, dict | list):
            for each in raw.values() if isinstance(raw, dict) else raw:
                yield from texts(each)

    found = (
        text for each in contexts() for one in each.documents for text in texts(json.loads(one))
    )
    return tuple(sorted(text for text in set(found) if len(text) < 200))
