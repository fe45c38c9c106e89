"""Settings from where people put them: a YAML file, then variables, then flags, each over the last.

    file, variables, flags -> values by key, each read by its form -> model
                              all problems at once -> BadConfig

Variables are found in any case, keys too, as Kuma's are. What is empty in the file is not set; so
is an empty variable, unless it stands for text or a list, which it then makes empty.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml

from kuma.config.availability import unavailable
from kuma.config.errors import BadConfig
from kuma.config.section import Heading, Section, Setting, settings_of, walk

S = TypeVar("S", bound=Section)
_SHOWN = 60
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SERVICE_LINK = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP)(_\w+)?)")
"""Kubernetes puts such variables into every Pod beside a Service named kuma-something."""


@dataclass
class _Gathered:
    """What was found so far, by the setting's path."""

    values: dict[tuple[str, ...], Any] = field(default_factory=dict)
    names: dict[tuple[str, ...], str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def read(self, each: Setting, name: str, read: Callable[[], Any], shown: object) -> None:
        try:
            self.values[each.path] = read()
        except ValueError:
            but = "" if each.secret else f", not {_quoted(shown)}"
            self.problems.append(f"{name}: must be {each.form.expected}{but}")
        else:
            self.names[each.path] = name


def gather(
    model: type[S],
    *,
    file: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
) -> tuple[S, dict[str, str]]:
    """The settings, and by key those that were set: how the user named them. Raises BadConfig.

    `flags` are values by dotted key; they are checked like those of a file.
    """
    gathered = _Gathered()
    if file is not None:
        _from_file(gathered, model, _read_yaml(file), str(file))
    _from_environment(gathered, settings_of(model), environ)
    _from_flags(gathered, model, flags or {})
    if gathered.problems:
        raise BadConfig(tuple(gathered.problems))
    settings = model.model_validate(_nested(gathered.values))
    return settings, {".".join(path): name for path, name in gathered.names.items()}


def _read_yaml(file: Path) -> Mapping[str, Any]:
    try:
        raw = yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506  a safe one
    except OSError as error:
        raise BadConfig((f"cannot read {file}: {error.strerror}",)) from error
    except UnicodeDecodeError as error:
        raise BadConfig((f"cannot read {file}: it is not UTF-8",)) from error
    except yaml.YAMLError as error:
        raise BadConfig((f"{file} is not YAML: {_yaml_problem(error)}",)) from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise BadConfig((f"{file} must hold a map of settings",))
    return raw


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{problem or 'malformed'}{where}"


def _from_file(
    gathered: _Gathered, model: type[Section], raw: Mapping[str, Any], file: str
) -> None:
    declared = {tuple(map(str.lower, each.path)): each for each in walk(model)}

    def read_section(content: Mapping[str, Any], lowered: tuple[str, ...], shown: str) -> None:
        for key, inner in content.items():
            here = (*lowered, str(key).lower())
            path = f"{shown}.{key}" if shown else str(key)
            each = declared.get(here)
            if each is None:
                known = [e.path for where, e in declared.items() if where[:-1] == lowered]
                gathered.problems.append(_unknown_key(path, known, declared.values(), file))
            elif inner is None:
                continue
            elif isinstance(each, Setting):
                name = f"{each.key} in {file}"
                gathered.read(each, name, partial(each.form.read, inner), inner)
            elif isinstance(inner, Mapping):
                read_section(inner, here, path)
            else:
                gathered.problems.append(f"{path} in {file}: must be a section, with keys in it")

    read_section(raw, (), "")


def _unknown_key(
    path: str,
    siblings: Iterable[tuple[str, ...]],
    declared: Iterable[Setting | Heading],
    file: str,
) -> str:
    """Beside it first: most mistakes are typing ones; then the same name in one other section."""
    near = get_close_matches(path, [".".join(each) for each in siblings], n=1, cutoff=0.75)
    last = path.rpartition(".")[2].lower()
    same = [".".join(each.path) for each in declared if each.path[-1].lower() == last]
    nearest = near or (same if len(same) == 1 else [])
    hint = f", did you mean {nearest[0]}?" if nearest else ""
    return f"{path} in {file}: unknown setting{hint}"


def _from_environment(
    gathered: _Gathered, settings: tuple[Setting, ...], environ: Mapping[str, str]
) -> None:
    given = _upper(environ)
    for each in settings:
        for variable in reversed(each.variables):
            text = given.get(variable)
            if text is None or (not text.strip() and each.form.empty_is_unset):
                continue
            gathered.read(each, variable, partial(each.form.read_text, text), text)


def _upper(environ: Mapping[str, str]) -> dict[str, str]:
    """Of two spellings of one variable the upper case one counts."""
    ours = {name: text for name, text in environ.items() if name.upper().startswith("KUMA_")}
    return {name.upper(): ours[name] for name in sorted(ours, key=str.isupper)}


def _from_flags(gathered: _Gathered, model: type[Section], flags: Mapping[str, object]) -> None:
    by_key = {each.key: each for each in settings_of(model)}
    for key, content in flags.items():
        each = by_key[key]
        if isinstance(content, str):
            gathered.read(each, key, partial(each.form.read_text, content), content)
        else:
            gathered.read(each, key, partial(each.form.read, content), content)


def _nested(values: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, content in values.items():
        here = tree
        for part in path[:-1]:
            here = here.setdefault(part, {})
        here[path[-1]] = content
    return tree


def unknown_variables(
    environ: Mapping[str, str],
    settings: tuple[Setting, ...],
    *,
    of_others: Callable[[], frozenset[str]],
) -> tuple[str, ...]:
    """A warning for each `KUMA_` variable that nobody reads. `of_others` are those that the other
    programs of the mesh read; it is only asked for when there is a doubt."""
    known = {variable for each in settings for variable in each.variables}
    doubtful = sorted(
        name
        for name in _upper(environ)
        if name not in known and not _SERVICE_LINK.fullmatch(name) and not _is_link(environ, name)
    )
    if not doubtful:
        return ()
    others = of_others()
    return tuple(
        f"unknown variable {name}{_nearest(name, known)}" for name in doubtful if name not in others
    )


def _is_link(environ: Mapping[str, str], name: str) -> bool:
    return name.endswith("_PORT") and environ.get(name, "").startswith(("tcp://", "udp://"))


def _nearest(name: str, known: Iterable[str]) -> str:
    found = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f", did you mean {found[0]}?" if found else ""


def without_effect(named: Mapping[str, str], table: Mapping[str, str | None]) -> tuple[str, ...]:
    """A warning for each setting that was set and does nothing."""
    reasons = ((key, name, unavailable(key, table)) for key, name in named.items())
    return tuple(
        f"{name} ({key}) {reason}"
        if name != key and not name.startswith(f"{key} ")
        else f"{name} {reason}"
        for key, name, reason in reasons
        if reason is not None
    )


def _quoted(content: object) -> str:
    text = f'"{content}"' if isinstance(content, str) else str(content)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
