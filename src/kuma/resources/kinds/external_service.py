"""ExternalService: a service outside the mesh, called by its `kuma.io/service` like one inside.

Source: https://kuma.io/docs/2.14.x/policies/external-services
"""

from collections.abc import Iterator

from pydantic import Field

from kuma.resources import labels as well_known
from kuma.resources.kind import Kind, Scope, Sync
from kuma.resources.kinds.data_source import DataSource
from kuma.resources.kinds.rules import (
    at_key,
    check_port,
    check_protocol_tag,
    check_tags,
    is_dns_name,
    is_ip,
)
from kuma.resources.proto_json import Bool, ProtoModel, Tags
from kuma.resources.resource import Resource
from kuma.resources.violation import Violation, at


class ExternalServiceTls(ProtoModel):
    enabled: Bool = False
    """Begin TLS towards the service."""
    ca_cert: DataSource | None = None
    """CA that the server's certificate is verified against. Left out: the CAs of the proxy's
    machine."""
    client_cert: DataSource | None = None
    """Certificate that the proxy shows to the server."""
    client_key: DataSource | None = None
    """Key of the client certificate."""
    allow_renegotiation: Bool | None = None
    """Allow the server to negotiate TLS again."""
    server_name: str | None = None
    """Server name of the TLS handshake. Left out: the host of the address."""
    skip_hostname_verification: Bool | None = None
    """Accept a certificate for another name."""


class ExternalServiceNetworking(ProtoModel):
    """`address` is `host:port`, an IPv6 host in brackets."""

    address: str = ""
    """Where the service is: `host:port`, an IPv6 host in brackets."""
    tls: ExternalServiceTls | None = None
    """TLS towards the service."""
    disable_host_dns_entry: Bool = Field(default=False, alias="disableHostDNSEntry")
    """Make no DNS entry for the host."""

    @property
    def host(self) -> str:
        return split_address(self.address)[0]

    @property
    def port(self) -> int:
        return int(split_address(self.address)[1])


class ExternalServiceSpec(ProtoModel):
    networking: ExternalServiceNetworking
    """Where the service is and how to speak to it."""
    tags: Tags = Field(default_factory=dict)
    """`kuma.io/service` is required, `kuma.io/protocol` says what it speaks."""

    @property
    def service(self) -> str:
        return self.tags.get(well_known.SERVICE_TAG, "")


def split_address(address: str) -> tuple[str, str]:
    """The host without brackets, and the port. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or (":" in host and not bracketed):
        msg = "unable to parse address"
        raise ValueError(msg)
    return (host[1:-1] if bracketed else host), port


def _validate(resource: Resource[ExternalServiceSpec]) -> tuple[Violation, ...]:
    spec = resource.spec
    return (
        *at("networking", _check_networking(spec.networking)),
        *check_protocol_tag("tags", spec.tags),
        *check_tags("tags", spec.tags, require_service=True),
        *_check_service(spec),
    )


def _check_networking(networking: ExternalServiceNetworking) -> Iterator[Violation]:
    yield from _check_address(networking.address)
    tls = networking.tls
    if tls is None:
        return
    if tls.server_name is not None and not tls.server_name:
        yield Violation("tls.serverName", "cannot be empty")
    if tls.server_name and ("\0" in tls.server_name or len(tls.server_name.encode()) > 255):
        # Differs from Kuma, where Envoy refuses the cluster.
        yield Violation("tls.serverName", "must be at most 255 bytes, without null characters")
    sources = {"caCert": tls.ca_cert, "clientCert": tls.client_cert, "clientKey": tls.client_key}
    for name, source in sources.items():
        if source is not None and source.is_empty:
            yield Violation(f"tls.{name}", "data source cannot be empty")


def _check_address(address: str) -> Iterator[Violation]:
    if not address:
        yield Violation("address", "address can't be empty")
        return
    try:
        host, port = split_address(address)
    except ValueError as error:
        yield Violation("address", str(error))
        return
    if not is_ip(host) and not is_dns_name(host):
        yield Violation("address", "address has to be a valid IP address or a domain name")
    if port.isascii() and port.isdigit():
        yield from check_port("address", int(port))
    else:
        yield Violation("address", "unable to parse port in address")


def _check_service(spec: ExternalServiceSpec) -> Iterator[Violation]:
    """A service named as its host would hide the host's own DNS name."""
    try:
        host = spec.networking.host
    except ValueError:
        return
    if spec.service and spec.service == host:
        yield Violation(
            at_key("tags", well_known.SERVICE_TAG), "cannot be the same as networking.address"
        )


EXTERNAL_SERVICE = Kind(
    name="ExternalService",
    plural="ExternalServices",
    display_plural="External Services",
    scope=Scope.MESH,
    spec=ExternalServiceSpec,
    path="external-services",
    argument="external-service",
    spec_at_root=True,
    sync=Sync.GLOBAL_TO_ZONES,
    validate=_validate,
)
