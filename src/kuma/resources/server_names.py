"""The server names by which the ports of a destination are called, and what is wrong with them."""

import re
from collections.abc import Iterator
from typing import Any

from kuma.resources.dns_names import deprecated_name
from kuma.resources.kri import Kri, build_sni, kri_of
from kuma.resources.resource import Resource

_LONGEST = 253
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_HINT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must "
    "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)


def deprecated_names(resource: Resource[Any]) -> tuple[str, ...]:
    """Warnings on names that are accepted still, but make no name in DNS; in Kuma's words."""
    kri, ports = kri_of(resource), resource.kind.ports
    found = [*deprecated_name(resource)]
    if kri is None or ports is None:
        return tuple(found)
    for _, section in ports(resource.spec):
        found += (
            f'Invalid {resource.kind.name} SNI (port "{section}"): {error}. This is deprecated.'
            for error in _errors(kri.with_section(section))
        )
    return tuple(found)


def _errors(kri: Kri) -> Iterator[str]:
    place = {"zone": kri.zone, "namespace": kri.namespace if kri.zone else ""}
    named = {
        "mesh": kri.mesh,
        "name": kri.name,
        **{key: text for key, text in place.items() if text},
    }
    for what, text in named.items():
        for error in _label_errors(text):
            yield f'{what} "{text}" does not conform to RFC 1123: {error}'
    if errors := _label_errors(kri.section):
        yield "; ".join(errors)
    if (length := len(build_sni(kri))) > _LONGEST:
        yield (
            f"computed SNI is {length} characters which exceeds the DNS hostname limit ({_LONGEST})"
        )


def _label_errors(text: str) -> list[str]:
    long = ["must be no more than 63 bytes"] if len(text) > 63 else []
    return long if _LABEL.fullmatch(text) else [*long, _LABEL_HINT]
