"""YAML (of which JSON is a part) as plain JSON values, with the place of what cannot be read.

Dates stay text, as JSON has none. An object with the same key twice is refused: which of them was
meant nobody knows. So are aliases that would make a short text a huge value, or one without an end.
"""

import math
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any


class BadYaml(Exception):
    """`line` and `column` count from 1; 0 where the place is not known."""

    def __init__(self, problem: str, line: int = 0, column: int = 0) -> None:
        place = f"line {line}, column {column}: " if line else ""
        super().__init__(f"{place}{problem}")
        self.problem, self.line, self.column = problem, line, column


@dataclass(frozen=True)
class Document:
    """One of the documents of a text. `line` is where it starts."""

    content: Any
    line: int


def load_yaml(text: str) -> Any:
    """The one document of `text`; None if it is empty. Raises BadYaml."""
    found = load_documents(text)
    if len(found) > 1:
        raise BadYaml("there must be one document only", found[1].line, 1)
    return found[0].content if found else None


def load_documents(text: str) -> list[Document]:
    """All but empty ones. Raises BadYaml."""
    import yaml

    loader = _json_loader()(text)
    try:
        return list(_documents(loader, may_alias="*" in text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "is not YAML"
        raise BadYaml(problem, *((mark.line + 1, mark.column + 1) if mark else ())) from error
    except yaml.reader.ReaderError as error:
        raise BadYaml(f"{error.reason} at position {error.position}") from error
    except yaml.YAMLError as error:
        raise BadYaml(f"is not YAML: {error}") from error
    except RecursionError as error:
        raise BadYaml("is nested too deeply") from error
    finally:
        loader.dispose()


def _documents(loader: Any, *, may_alias: bool) -> Iterator[Document]:
    while loader.check_node():
        node = loader.get_node()
        if may_alias:
            _check_aliases(node)
        content = loader.construct_document(node)
        if content is not None:
            yield Document(content, node.start_mark.line + 1)


_MOST_REPEATED = 100_000
"""Values that aliases may repeat: as many are more than a document that may be sent."""


def _check_aliases(root: Any) -> None:
    """Raises BadYaml; RecursionError if it is nested too deeply."""
    sizes: dict[int, int] = {}
    within: set[int] = set()

    def size_of(node: Any) -> int:
        """In values, each counted as often as it is meant."""
        key = id(node)
        if key in within:
            raise _at(node, "an alias stands for what it is part of")
        if key not in sizes:
            within.add(key)
            sizes[key] = 1 + sum(map(size_of, _children(node)))
            within.remove(key)
        return sizes[key]

    if size_of(root) - len(sizes) > _MOST_REPEATED:
        raise _at(root, f"aliases repeat more than {_MOST_REPEATED} values")


def _children(node: Any) -> list[Any]:
    if isinstance(node.value, str):
        return []
    return [part for each in node.value for part in (each if isinstance(each, tuple) else (each,))]


def _at(node: Any, problem: str) -> BadYaml:
    return BadYaml(problem, node.start_mark.line + 1, node.start_mark.column + 1)


@cache
def _json_loader() -> Any:
    import yaml

    class JsonLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
            seen = set()
            for key, _ in node.value:
                known = (key.tag, key.value) if isinstance(key.value, str) else None
                if known in seen and key.value != "<<":
                    problem = f'key "{key.value}" is there already'
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(known)
            made: dict[Hashable, Any] = super().construct_mapping(node, deep)
            return made

        def construct_number(self, node: Any) -> Any:
            """Refuses what is none of JSON: `0x_`, which only looks like a number, `.nan`, infinity,
            and thousands of digits."""
            is_whole = node.tag == "tag:yaml.org,2002:int"
            try:
                found = (self.construct_yaml_int if is_whole else self.construct_yaml_float)(node)
            except ValueError:
                found = math.inf
            if isinstance(found, float) and not math.isfinite(found):
                problem = f'"{node.value[:40]}" is no number, or too long'
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
            return found

    for kind in ("int", "float"):
        JsonLoader.add_constructor(f"tag:yaml.org,2002:{kind}", JsonLoader.construct_number)
    JsonLoader.yaml_implicit_resolvers = {
        first: [(tag, _without_colons(form)) for tag, form in resolvers if tag not in _NO_JSON]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return JsonLoader


_NO_JSON = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}


def _without_colons(form: re.Pattern[str]) -> re.Pattern[str]:
    """`1:30` is a text, and not 90 as YAML 1.1 has it."""
    return re.compile(f"(?![^:]*:){form.pattern}", form.flags)


def dump_yaml(content: Any) -> str:
    """As Go writes it: sorted by key, never folded; text that could be taken for another value in double
    quotes, text that begins like no text in single ones."""
    import yaml

    return str(
        yaml.dump(
            content,
            Dumper=_json_dumper(),
            sort_keys=True,
            allow_unicode=True,
            default_flow_style=False,
            width=float("inf"),
        )
    )


_NO_TEXT = "tag:yaml.org,2002:yaml"
"""Of `*`, `&` and `!`."""
_TRUTHS = {"y", "Y", "n", "N"}
"""Which YAML 1.1 takes for such, and this library does not."""


@cache
def _json_dumper() -> Any:
    import yaml

    class JsonDumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def represent_text(dumper: Any, text: str) -> Any:
        tag = "tag:yaml.org,2002:str"
        resolved = dumper.resolve(yaml.ScalarNode, text, (True, False))
        is_value = resolved not in {tag, _NO_TEXT} or text in _TRUTHS
        style = '"' if is_value else None
        if "\n" in text:
            style = "|"
        return dumper.represent_scalar(tag, text, style=style)

    JsonDumper.add_representer(str, represent_text)
    return JsonDumper
