"""Envoy's message types by name, for configuration that people write.

A packed message can be read once its type is loaded; what the control plane itself never builds is
loaded here when it is first named. Only generated modules of the published APIs are looked at.
"""

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from google.protobuf.message import Message
from google.protobuf.symbol_database import Default

_APIS = ("envoy.", "google.protobuf.", "xds.", "udpa.", "opentelemetry.")
_TYPE = "@type"


def load_types(plain: Any) -> None:
    """Load what any `@type` in a JSON value names; what does not exist is for the parser to tell."""
    match plain:
        case dict():
            if isinstance(named := plain.get(_TYPE), str):
                find_type(named.rpartition("/")[2])
            for each in plain.values():
                load_types(each)
        case list():
            for each in plain:
                load_types(each)


@cache
def find_type(full_name: str) -> type[Message] | None:
    """The class of `envoy.config.cluster.v3.Cluster`; None: there is no such type."""
    if not full_name.startswith(_APIS):
        return None
    for module in _modules(full_name.rpartition(".")[0]):
        import_module(module)
        try:
            found: type[Message] = Default().GetSymbol(full_name)
        except KeyError:
            continue
        return found
    return None


def _modules(package: str) -> Iterator[str]:
    """The generated modules of a package: those that are loaded most likely come first by name."""
    try:
        folder = import_module(package)
    except ImportError:
        return
    for found in pkgutil.iter_modules(folder.__path__, f"{package}."):
        if found.name.endswith("_pb2"):
            yield found.name
