"""The virtual addresses of services by tags, as the control plane keeps them: one Config for each mesh.

    dataplanes, external services -> entries with addresses -> Config kuma-<mesh>-dns-vips -> outbounds

The text is Kuma's, so that a store of Kuma can be taken over: JSON, by `<type>:<name>`.
"""

import json
from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from kuma.kit.value import value
from kuma.resources import labels as well_known
from kuma.resources.kinds.config import ConfigSpec
from kuma.resources.resource import AnyResource

_PREFIX, _SUFFIX = "kuma-", "-dns-vips"


class EntryType(IntEnum):
    """What the name of an entry is: that of a service, of an ExternalService's host, or a name that
    somebody chose."""

    SERVICE = 0
    HOST = 1
    FQDN = 2


@value
class EntryPort:
    """`port` 0 of a service: the one of all services. `origin` says what the entry is made from."""

    port: int
    tags: tuple[tuple[str, str], ...]
    origin: str

    @property
    def service(self) -> str:
        return dict(self.tags).get(well_known.SERVICE_TAG, "")


@value
class Entry:
    """`ports` are sorted, and not empty; without an `address` nobody can call it."""

    type: EntryType
    name: str
    ports: tuple[EntryPort, ...]
    address: str = ""

    @property
    def place(self) -> tuple[EntryType, str]:
        return self.type, self.name

    @property
    def services(self) -> frozenset[str]:
        return frozenset(each.service for each in self.ports)


def config_name(mesh: str) -> str:
    return f"{_PREFIX}{mesh}{_SUFFIX}"


def mesh_of_config(name: str) -> str | None:
    """None: the Config holds something else."""
    if not name.startswith(_PREFIX) or not name.endswith(_SUFFIX):
        return None
    return name.removeprefix(_PREFIX).removesuffix(_SUFFIX) or None


def dump_entries(entries: Iterable[Entry]) -> str:
    held = {
        f"{each.type.value}:{each.name}": {
            **({"address": each.address} if each.address else {}),
            "outbounds": [
                {"Port": port.port, "TagSet": dict(port.tags), "Origin": port.origin}
                for port in each.ports
            ],
        }
        for each in entries
    }
    return json.dumps(held, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def parse_entries(text: str) -> tuple[Entry, ...]:
    """Sorted by type and name. What cannot be read is left out: it is made anew."""
    try:
        held = json.loads(text or "{}")
    except ValueError:
        return ()
    found = (_entry(key, raw) for key, raw in held.items()) if isinstance(held, dict) else ()
    return tuple(sorted((each for each in found if each), key=lambda each: each.place))


def entries_of(config: AnyResource | None) -> tuple[Entry, ...]:
    """Those in a Config, if it is one."""
    spec = None if config is None else config.spec
    return parse_entries(spec.config) if isinstance(spec, ConfigSpec) else ()


def _entry(key: str, raw: Any) -> Entry | None:
    number, _, name = key.partition(":")
    try:
        ports = tuple(
            EntryPort(int(each["Port"]), tuple(sorted(each["TagSet"].items())), each["Origin"])
            for each in raw["outbounds"]
        )
        return Entry(EntryType(int(number)), name, ports, raw.get("address", "")) if ports else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
