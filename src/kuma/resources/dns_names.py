"""Names that must, or should, be usable in DNS."""

import re
from typing import Any

from kuma.resources.resource import Resource

_DNS_1035_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_DNS_1035_HINT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or "
    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)


def dns_1035_errors(name: str) -> tuple[str, ...]:
    """Why `name` is no label of RFC 1035, in Kubernetes' words; empty if it is one."""
    found = []
    if len(name) > 63:
        found.append("must be no more than 63 bytes")
    if not _DNS_1035_LABEL.fullmatch(name):
        found.append(_DNS_1035_HINT)
    return tuple(found)


def deprecated_name(resource: Resource[Any]) -> tuple[str, ...]:
    """The warning on a name that is accepted still, but cannot be a label of a DNS name."""
    errors = dns_1035_errors(resource.display_name)
    if not errors:
        return ()
    message = (
        f"Invalid {resource.kind.name} resource name: '{resource.display_name}'. It does not conform"
        f" to the DNS format (RFC 1035). This is deprecated. Errors: {'; '.join(errors)}"
    )
    return (message,)
