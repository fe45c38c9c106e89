"""What `kumactl apply` is given: files, a directory, a URL or standard input, as resources.

    read -> variables put in -> YAML -> documents, each known to be a resource at least in form

Everything that can be wrong with the text is found here, before anything is sent; what a kind
demands of its fields, the control plane knows.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from kuma.app.ctl.errors import CtlError
from kuma.kit.json_yaml import BadYaml, load_documents
from kuma.kit.template import BadTemplate, is_template, render
from kuma.resources.names import DEFAULT_MESH

_SUFFIXES = {".yaml", ".yml", ".json"}
_NOTHING = "nothing was applied"
_TEMPLATE = "if it is a template, give its variables with --var name=..."


@dataclass(frozen=True)
class Source:
    """`name` is how messages call it."""

    name: str
    text: str


@dataclass(frozen=True)
class GivenResource:
    """`place` is where it begins, for messages."""

    place: str
    document: Mapping[str, Any]

    @property
    def type(self) -> str:
        return str(self.document["type"])

    @property
    def name(self) -> str:
        return str(self.document["name"])

    @property
    def mesh(self) -> str:
        """As the control plane takes it: older kinds, without a `spec`, have to say it."""
        given = self.document.get("mesh")
        if given is None and "spec" in self.document:
            return DEFAULT_MESH
        return str(given or "")

    def __str__(self) -> str:
        return f'resource type="{self.type}" mesh="{self.mesh}" name="{self.name}"'


def read_sources(given: str, *, timeout: timedelta) -> list[Source]:
    """`-` is standard input; of a directory the YAML and JSON files by name. Raises CtlError."""
    if given == "-":
        return [Source("standard input", _decode("standard input", sys.stdin.buffer.read()))]
    if given.startswith(("http://", "https://")):
        return [Source(given, _download(given, timeout))]
    path = Path(given)
    if not path.is_dir():
        return [_read(path)]
    files = sorted(each for each in path.iterdir() if each.suffix.lower() in _SUFFIXES)
    return [_read(each) for each in files if not each.is_dir()]


def _read(path: Path) -> Source:
    try:
        return Source(str(path), _decode(str(path), path.read_bytes()))
    except OSError as error:
        raise CtlError(f"{path}: cannot be read: {error.strerror}") from error


def _decode(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CtlError(f"{name}: is not UTF-8 text") from error


def _download(url: str, timeout: timedelta) -> str:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=timeout.total_seconds() or None) as answer:  # noqa: S310  # http or https
            return _decode(url, answer.read())
    except HTTPError as error:
        raise CtlError(f"{url}: cannot be read: HTTP status {error.code}") from error
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise CtlError(f"{url}: cannot be read: {reason}") from error


def parse_resources(source: Source, variables: Mapping[str, str]) -> list[GivenResource]:
    """Raises CtlError that names every document that is none."""
    try:
        text = render(source.text, variables, flag="--var") if variables else source.text
        documents = load_documents(text)
    except (BadTemplate, BadYaml) as error:
        hint = "" if variables or not is_template(source.text) else f", {_TEMPLATE}"
        raise CtlError(f"{source.name}, {error}{hint}; {_NOTHING}") from error
    found, faults = [], []
    for each in documents:
        place = f"{source.name}, line {each.line}"
        wrong = list(_faults(each.content))
        faults += [f"{place}: {fault}" for fault in wrong]
        if not wrong:
            found.append(GivenResource(place, each.content))
    check_faults(faults)
    return found


def check_faults(faults: list[str]) -> None:
    """Raises CtlError that tells all of them."""
    if len(faults) == 1:
        raise CtlError(f"{faults[0]}; {_NOTHING}")
    if faults:
        lines = "\n".join(f"* {fault}" for fault in faults)
        raise CtlError(f"{len(faults)} faults were found, {_NOTHING}:\n{lines}")


def _faults(content: Any) -> Iterator[str]:
    if not isinstance(content, dict):
        yield "must be an object with type and name"
        return
    if "apiVersion" in content and "type" not in content:
        yield "is a Kubernetes manifest, write it in universal form, with type and name"
        return
    for key in ("type", "name"):
        if content.get(key) is None or content[key] == "":
            yield f"{key}: cannot be empty"
        elif not isinstance(content[key], str):
            yield f"{key}: must be a string, put {content[key]!r} in quotes"
    if not isinstance(content.get("mesh") or "", str):
        yield f"mesh: must be a string, put {content['mesh']!r} in quotes"
    try:
        json.dumps(content, allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"has a value that JSON does not have: {error}"
    except RecursionError:
        yield "is nested too deeply"
