"""Metrics as text: read from several sources, made one.

    text ── parse ──> families ── merged with others' ──> families ── write ──> text

Values are never made numbers and written anew, so that they stay what they are.
Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, 0.0.4) and
https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

TEXT = "text/plain; version=0.0.4; charset=utf-8"
ACCEPT = "text/plain;version=0.0.4;q=1, application/openmetrics-text;version=1.0.0;q=0.5, */*;q=0.1"
OPEN_METRICS = "application/openmetrics-text"
_UNTYPED = "untyped"
_KINDS = {
    **{kind: kind for kind in ("counter", "gauge", "histogram", "summary", _UNTYPED)},
    **dict.fromkeys(("info", "stateset"), "gauge"),
}
_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
_OPEN_PARTS = {"counter": ("_total",), "info": ("_info",)}
_TEXT = r'"(?:[^"\\]++|\\.)*+"'
_PAIR = rf"[ \t]*+(?:[a-zA-Z_][a-zA-Z0-9_]*+|{_TEXT})[ \t]*+=[ \t]*+{_TEXT}[ \t]*+"
_SAMPLE = re.compile(
    r"([a-zA-Z_:][a-zA-Z0-9_:]*+)[ \t]*+"
    rf"(?:\{{((?:{_PAIR}(?:,{_PAIR})*+,?+)?+)[ \t]*+\}})?"
    r"[ \t]*+([^\s#]++)(?:[ \t]++([^\s#]++))?(?:[ \t]++#.*)?"
)
_QUOTED = re.compile(r'\{[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*,?')
_COMMENT = re.compile(r'#[ \t]+(HELP|TYPE)[ \t]+("(?:[^"\\]|\\.)*"|\S+)(?:[ \t]+(.*))?')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*|"(?:[^"\\]|\\.)*")\s*=\s*"((?:[^"\\]|\\.)*)"')
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Sample:
    """All as it is written; `at` is in milliseconds, empty for now. `is_bare`: it gets no labels of the
    proxy."""

    name: str
    labels: str
    number: str
    at: str = ""
    is_bare: bool = False

    @property
    def series(self) -> tuple[str, str, bool]:
        return self.name, self.labels, self.is_bare


@dataclass(slots=True)
class Family:
    name: str
    kind: str = _UNTYPED
    help: str = ""
    samples: list[Sample] = field(default_factory=list)


Families = dict[str, Family]


class Malformed(ValueError):
    """It is no exposition."""


def parse(text: str, *, is_open: bool = False) -> Families:
    """Raises Malformed. `is_open`: it is in the format of OpenMetrics."""
    found: Families = {}
    declared: dict[str, tuple[str, str]] = {}
    for line in text.split("\n"):
        line = line.strip(" \t\r")
        if line.startswith("#"):
            if is_open and line == "# EOF":
                break
            _declare(declared, line)
        elif line:
            sample = _parse_sample(line, is_open=is_open)
            if is_open and sample.name.endswith("_created"):
                continue
            base, kind = _family_of(sample.name, declared, is_open=is_open)
            family = found.setdefault(base, Family(base, kind, declared.get(base, ("", ""))[1]))
            family.samples.append(sample)
    return found


def _declare(declared: dict[str, tuple[str, str]], line: str) -> None:
    """Kind and help of a family, as comments have them."""
    match = _COMMENT.fullmatch(line)
    if match is None:
        return
    what, name, rest = match.groups()
    name = _NOT_IN_NAMES.sub("_", name.strip('"'))
    kind, text = declared.get(name, ("", ""))
    declared[name] = (rest or "", text) if what == "TYPE" else (kind, rest or "")


def _parse_sample(line: str, *, is_open: bool) -> Sample:
    if (quoted := _QUOTED.match(line)) is not None:
        line = f"{_NOT_IN_NAMES.sub('_', quoted[1])}{{{line[quoted.end() :].lstrip()}"
    match = _SAMPLE.fullmatch(line)
    if match is None:
        raise Malformed(f"not a sample: {line[:80]!r}")
    name, labels, number, at = match.groups("")
    try:
        float(number)
        at = _milliseconds(at, is_open=is_open)
    except ValueError as error:
        raise Malformed(f"not a number: {line[:80]!r}") from error
    return Sample(name, labels.strip(" \t,"), number, at)


def _milliseconds(at: str, *, is_open: bool) -> str:
    if not at:
        return ""
    return str(round(float(at) * 1000)) if is_open else str(int(at))


def _family_of(
    name: str, declared: Mapping[str, tuple[str, str]], *, is_open: bool
) -> tuple[str, str]:
    """Its name and kind in the text format; there a counter is called as its samples are."""
    if name in declared:
        kind = declared[name][0]
        return name, _KINDS.get(kind, _UNTYPED)
    for suffix in ("_bucket", "_sum", "_count", "_total", "_info"):
        base = name.removesuffix(suffix)
        kind = declared.get(base, ("", ""))[0] if base != name else ""
        if suffix in _PARTS.get(kind, ()):
            return base, kind
        if is_open and suffix in _OPEN_PARTS.get(kind, ()):
            return name, _KINDS[kind]
    return name, _UNTYPED


def merge(parts: Iterable[Families]) -> tuple[Families, int]:
    """One family of each name, and how many series were left out, since there are others like them."""
    made: Families = {}
    left_out = 0
    for part in parts:
        for name, family in part.items():
            known = made.get(name)
            if known is None:
                made[name] = replace(family, samples=list(family.samples))
                continue
            taken = {each.series for each in known.samples}
            fit = known.kind == family.kind
            more = [each for each in family.samples if fit and each.series not in taken]
            known.samples += more
            left_out += len(family.samples) - len(more)
    return made, left_out


def write(families: Families, labels: Mapping[str, str]) -> str:
    """The text, with `labels` on each series, where they go before its own of the same names."""
    return "".join(_written(families, Labels(labels)))


def _written(families: Families, labels: "Labels") -> Iterator[str]:
    none = Labels({})
    for family in families.values():
        if family.help:
            yield f"# HELP {family.name} {family.help}\n"
        yield f"# TYPE {family.name} {family.kind}\n"
        for each in family.samples:
            at = f" {each.at}" if each.at else ""
            all_labels = (none if each.is_bare else labels).over(each.labels)
            yield f"{each.name}{all_labels} {each.number}{at}\n"


class Labels:
    """Labels of all series, as text."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        named = {_NOT_IN_LABELS.sub("_", name): text for name, text in sorted(labels.items())}
        self._names = frozenset(named)
        self._text = ",".join(f'{name}="{_escape(text)}"' for name, text in named.items())
        either = "|".join(map(re.escape, named)) or "(?!)"
        self._clash = re.compile(rf"(?:^|,)\s*(?:{either})\s*=")

    def over(self, own: str) -> str:
        if own and (self._clash.search(own) or '"=' in own):
            pairs = parse_labels(own).items()
            own = ",".join(f'{k}="{_escape(v)}"' for k, v in pairs if k not in self._names)
        both = ",".join(filter(None, (self._text, own)))
        return f"{{{both}}}" if both else ""


def parse_labels(text: str) -> dict[str, str]:
    """Names that the text format of old does not know are changed."""
    return {
        _NOT_IN_LABELS.sub("_", name.strip('"')): _ESCAPED.sub(_unescaped, found)
        for name, found in _LABEL.findall(text)
    }


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
