"""Which services by tags should have a virtual address: pure decisions of the leader's job.

    services of dataplanes, ExternalServices -> entries without addresses -> with them
Source: reference 7.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kuma.kit.address_pool import AddressPool, Exhausted
from kuma.kit.value import value
from kuma.resources import labels as well_known
from kuma.resources.kinds.external_service import ExternalServiceSpec
from kuma.resources.kinds.rules import is_ip
from kuma.resources.resource import Resource
from kuma.resources.virtual_outbounds import Entry, EntryPort, EntryType

OF_SERVICE = "service"

Place = tuple[EntryType, str]


@value
class Wanted:
    """`conflicts`: what could not be, since something else has the name and the port."""

    entries: tuple[Entry, ...]
    conflicts: tuple[str, ...] = ()


def wanted_entries(
    services: Iterable[str],
    external: Sequence[Resource[ExternalServiceSpec]],
    *,
    of_services: bool = True,
) -> Wanted:
    """`external` sorted by name: of two that want the same name and port the first gets it."""
    ports: dict[Place, dict[int, EntryPort]] = {}
    conflicts: list[str] = []

    def add(place: Place, made: EntryPort) -> None:
        held = ports.setdefault(place, {}).setdefault(made.port, made)
        if held != made:
            what = f"{place[1]}:{made.port}"
            conflicts.append(f"{what} of {made.origin} is that of {held.origin} already")

    if of_services:
        for service in sorted(services):
            add((EntryType.SERVICE, service), _of_service(service, 0))
    for each in external:
        spec, tags = each.spec, _tags(each.spec.service)
        if of_services:
            add((EntryType.SERVICE, spec.service), _of_service(spec.service, spec.networking.port))
        if not spec.networking.disable_host_dns_entry:
            origin = f"external-service:{each.name}"
            host = (EntryType.HOST, spec.networking.host)
            add(host, EntryPort(spec.networking.port, tags, origin))
    entries = (
        Entry(*place, tuple(held[port] for port in sorted(held)), _own_address(place))
        for place, held in sorted(ports.items())
    )
    return Wanted(tuple(entries), tuple(conflicts))


def with_addresses(
    entries: Iterable[Entry], before: Iterable[Entry], pool: AddressPool
) -> tuple[tuple[Entry, ...], int]:
    """`entries` with the addresses that they had, or new ones; and how many got none. One outside of the
    range, which was another one then, is not kept."""
    known = {each.place: each.address for each in before if pool.contains(each.address)}
    made: list[Entry] = []
    left_out = 0
    for each in entries:
        address = each.address or known.get(each.place, "")
        if not address:
            try:
                address = pool.allocate()
            except Exhausted:
                left_out += 1
        made.append(replace(each, address=address))
    return tuple(made), left_out


def _of_service(service: str, port: int) -> EntryPort:
    return EntryPort(port, _tags(service), OF_SERVICE)


def _tags(service: str) -> tuple[tuple[str, str], ...]:
    return ((well_known.SERVICE_TAG, service),)


def _own_address(place: Place) -> str:
    """A host that is an address is called by it."""
    kind, name = place
    return name if kind is EntryType.HOST and is_ip(name) else ""
