"""The proxy's resource as the user wrote it: file or text, rendered, read, and checked for kind.

Everything else about it is checked by the control plane, which knows the kinds.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kuma.dataplane.errors import BadDefinition
from kuma.dataplane.log import Log
from kuma.dataplane.options import DefinitionOptions, ProxyType
from kuma.kit.json_yaml import BadYaml, load_yaml
from kuma.kit.template import BadTemplate, render, unused


@dataclass(frozen=True, slots=True)
class Definition:
    """`resource` is the JSON text that the control plane gets; `mesh` is empty for zone proxies."""

    mesh: str
    name: str
    resource: str


def read_definition(
    options: DefinitionOptions, proxy_type: ProxyType, log: Log
) -> Definition | None:
    """None: the control plane has it already. Raises BadDefinition."""
    source, template = _read(options)
    if not template.strip():
        if source:
            raise BadDefinition(source, "is empty")
        return None
    for name in unused(template, options.variables):
        log.warning("the template does not use this variable", variable=name, template=source)
    try:
        text = render(template, options.variables)
    except BadTemplate as error:
        raise BadDefinition(source, str(error)) from error
    return _check(source, parse_yaml(source, text), proxy_type)


def _read(options: DefinitionOptions) -> tuple[str, str]:
    if options.path == "-":
        return "standard input", sys.stdin.read()
    if options.path:
        try:
            return options.path, Path(options.path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise BadDefinition(options.path, "is not UTF-8 text") from error
        except OSError as error:
            raise BadDefinition(options.path, f"cannot be read: {error.strerror}") from error
    return ("--dataplane", options.text) if options.text else ("", "")


def _check(source: str, raw: object, proxy_type: ProxyType) -> Definition:
    if not isinstance(raw, Mapping):
        raise BadDefinition(source, "must be one resource: an object with type, mesh and name")
    kind, name, mesh = (_text(source, raw, key) for key in ("type", "name", "mesh"))
    if kind != proxy_type.kind:
        raise BadDefinition(
            source,
            f'type: is "{kind}", but --proxy-type {proxy_type} needs a {proxy_type.kind}',
        )
    if not name:
        raise BadDefinition(source, "name: must be set")
    if proxy_type is ProxyType.DATAPLANE and not mesh:
        raise BadDefinition(source, "mesh: must be set")
    return Definition(mesh, name, json.dumps(raw, ensure_ascii=False))


def _text(source: str, raw: Mapping[str, Any], key: str) -> str:
    found = raw.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise BadDefinition(source, f"{key}: must be a string, put {found!r} in quotes")
    return found


def parse_yaml(source: str, text: str) -> object:
    """YAML or JSON as plain JSON values. Raises BadDefinition with line and column."""
    try:
        found: object = load_yaml(text)
    except BadYaml as error:
        raise BadDefinition(source, str(error)) from error
    return found
