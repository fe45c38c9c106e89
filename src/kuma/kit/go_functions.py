"""The functions of Go's text templates, for values that are texts, integers and booleans.

What they give, and what they refuse, is what Go does; but texts that grow beyond all use are refused.

Source: https://pkg.go.dev/text/template#hdr-Functions, https://pkg.go.dev/fmt
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote_plus

Value = str | int | bool | None

LONGEST = 4096
"""Characters of any text that a template makes: far more than a name or an ID may have."""

_MOST_DIGITS = 18


class BadTemplate(Exception):
    """The text says what is wrong, for the user."""


_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


def parse_text(quoted: str) -> str:
    """Raises BadTemplate."""
    inner, quote = quoted[1:-1], quoted[0]
    if quote == "`":
        return inner

    def unescaped(found: re.Match[str]) -> str:
        escape = found[1]
        if escape == quote:
            return quote
        if escape in _ESCAPED:
            return _ESCAPED[escape]
        digits, base = (escape, 8) if escape.isdigit() else (escape[1:], 16)
        try:
            return chr(int(digits, base))
        except (ValueError, OverflowError) as error:
            raise BadTemplate(f"there is no escape {found[0]}") from error

    return _ESCAPE.sub(unescaped, inner)


def parse_character(quoted: str) -> int:
    """Raises BadTemplate."""
    text = parse_text(quoted)
    if len(text) != 1:
        raise BadTemplate(f"malformed character constant: {quoted}")
    return ord(text)


def parse_number(text: str) -> int:
    """Raises BadTemplate."""
    try:
        found = int(text, 0) if len(text) <= _MOST_DIGITS else None
    except ValueError:
        found = None
    if found is None:
        raise BadTemplate(f"{text} is no integer, or too long")
    return found


def is_true(given: object) -> bool:
    """What is neither empty nor zero."""
    return bool(given)


def print_value(given: Value) -> str:
    if given is None:
        return "<no value>"
    return str(given).lower() if isinstance(given, bool) else str(given)


def _kind(given: Value) -> str:
    return {str: "string", bool: "bool", int: "int"}.get(type(given), "nil")


def _bounded(text: str) -> str:
    if len(text) > LONGEST:
        raise BadTemplate(f"gives more than {LONGEST} characters")
    return text


def _print(*given: Value) -> str:
    """A space between two of which neither is a text."""
    made = ""
    for at, each in enumerate(given):
        if at and not isinstance(each, str) and not isinstance(given[at - 1], str):
            made += " "
        made += "<nil>" if each is None else print_value(each)
    return _bounded(made)


def _println(*given: Value) -> str:
    return _bounded(
        " ".join("<nil>" if each is None else print_value(each) for each in given) + "\n"
    )


_VERB = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\d*)(?:\.(?P<precision>\d*))?(?P<verb>.?)", re.DOTALL
)


def _printf(form: Value = None, *given: Value) -> str:
    if not isinstance(form, str):
        raise BadTemplate(f"wrong type for value of printf: expected string, got {_kind(form)}")
    left = list(reversed(given))

    def written(found: re.Match[str]) -> str:
        verb = found["verb"]
        if verb == "%":
            return "%"
        if not verb:
            return "%!(NOVERB)"
        return _written(found, left.pop()) if left else f"%!{verb}(MISSING)"

    made = _bounded(_VERB.sub(written, form))
    extra = ", ".join(map(_described, reversed(left)))
    return f"{made}%!(EXTRA {extra})" if extra else made


def _described(given: Value) -> str:
    return "<nil>" if given is None else f"{_kind(given)}={print_value(given)}"


def _written(found: re.Match[str], given: Value) -> str:
    flags, verb = found["flags"], found["verb"]
    precision = None if found["precision"] is None else int(found["precision"][:5] or 0)
    text = _formatted(verb, given, flags, precision)
    if text is None:
        return f"%!{verb}({_described(given)})"
    width = min(int(found["width"][:5] or 0), LONGEST)
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and type(given) is int and precision is None:
        sign = text[:1] if text[:1] in "+-" else ""
        return sign + text[len(sign) :].rjust(width - len(sign), "0")
    return text.rjust(width, "0" if "0" in flags else " ")


def _formatted(verb: str, given: Value, flags: str, precision: int | None) -> str | None:
    """None: the verb is not for such a value."""
    plain = print_value(given)
    match verb, given:
        case "T", _:
            return _kind(given)
        case (("v" | "t"), bool()):
            return plain
        case (("v" | "s"), str()):
            return plain[:precision]
        case "q", str():
            return '"' + plain[:precision].replace("\\", "\\\\").replace('"', '\\"') + '"'
        case (("x" | "X"), str()):
            return (
                format(int.from_bytes(plain.encode()), f"0{2 * len(plain.encode())}{verb}")
                if plain
                else ""
            )
        case _, bool():
            return None
        case (("v" | "d" | "x" | "X" | "o" | "b"), int()):
            digits = format(abs(given), "d" if verb == "v" else verb).rjust(
                min(precision or 0, LONGEST), "0"
            )
            return ("-" if given < 0 else "+" if "+" in flags else "") + digits
        case "c", int():
            return chr(given) if 0 <= given < 0x110000 else "\ufffd"
    return None


def _len(of: Value) -> int:
    if not isinstance(of, str):
        raise BadTemplate(f"len of type {_kind(of)}")
    return len(of.encode())


def _index(of: Value, *positions: Value) -> Value:
    found = of
    if of is None:
        raise BadTemplate("index of untyped nil")
    for at in positions:
        if not isinstance(found, str):
            raise BadTemplate(f"can't index item of type {_kind(found)}")
        found = found.encode()[_position(at, _len(found) - 1)]
    return found


def _slice(of: Value, *positions: Value) -> str:
    if not isinstance(of, str):
        raise BadTemplate(f"can't slice item of type {_kind(of)}")
    if len(positions) > 2:
        raise BadTemplate("cannot 3-index slice a string")
    length = _len(of)
    first, last = [*(_position(each, length) for each in positions), 0, length][:1], length
    if len(positions) == 2:
        last = _position(positions[1], length)
    if first[0] > last:
        raise BadTemplate(f"invalid slice index: {first[0]} > {last}")
    return of.encode()[first[0] : last].decode(errors="replace")


def _position(at: Value, most: int) -> int:
    if type(at) is not int:
        raise BadTemplate(f"cannot index slice/array with type {_kind(at)}")
    if not 0 <= at <= most:
        raise BadTemplate(f"index out of range: {at}")
    return at


def _equal(one: Value, *others: Value) -> bool:
    if not others:
        raise BadTemplate("missing argument for comparison")
    for each in others:
        if None not in {one, each} and type(one) is not type(each):
            raise BadTemplate("incompatible types for comparison")
    return any(type(one) is type(each) and one == each for each in others)


def _less(one: Value, other: Value) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.encode() < other.encode()
    if type(one) is int and type(other) is int:
        return one < other
    same = type(one) is type(other)
    raise BadTemplate(
        "invalid type for comparison" if same else "incompatible types for comparison"
    )


def _escape(changes: Mapping[str, str]) -> Callable[..., str]:
    table = str.maketrans(dict(changes))
    return lambda *given: _bounded(_joined(*given).translate(table))


def _joined(*given: Value) -> str:
    return _print(*("<no value>" if each is None else each for each in given))


def _taking(count: int, function: Callable[..., Value]) -> Callable[..., Value]:
    def checked(*given: Value) -> Value:
        if len(given) != count:
            raise BadTemplate(f"wrong number of arguments: want {count}, got {len(given)}")
        return function(*given)

    return checked


def _taking_some(function: Callable[..., Value]) -> Callable[..., Value]:
    def checked(*given: Value) -> Value:
        if not given:
            raise BadTemplate("wrong number of arguments: want at least 1, got 0")
        return function(*given)

    return checked


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "eq": _taking_some(_equal),
    "ge": _taking(2, lambda one, other: not _less(one, other)),
    "gt": _taking(2, lambda one, other: _less(other, one)),
    "html": _escape(
        {'"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": "\ufffd"}
    ),
    "index": _taking_some(_index),
    "js": _escape(
        {
            "\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026",
            "=": "\\u003D", "\n": "\\u000A", "\r": "\\u000D", "\t": "\\u0009",
        }
    ),
    "le": _taking(2, lambda one, other: not _less(other, one)),
    "len": _taking(1, _len),
    "lt": _taking(2, _less),
    "ne": _taking(2, lambda one, other: not _equal(one, other)),
    "not": _taking(1, lambda given: not is_true(given)),
    "print": _print,
    "printf": _taking_some(_printf),
    "println": _println,
    "slice": _taking_some(_slice),
    "urlquery": lambda *given: _bounded(quote_plus(_joined(*given))),
}  # fmt: skip
"""By name; `and`, `or` and `label` are not functions of values alone."""
