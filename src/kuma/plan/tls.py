"""TLS as the plan sees it: which secrets by name, never their bytes; modes and identities."""

from enum import StrEnum

from kuma.kit.value import value
from kuma.plan.secret import SecretBytes


class TlsMode(StrEnum):
    STRICT = "Strict"
    PERMISSIVE = "Permissive"


class TlsVersion(StrEnum):
    """In order."""

    TLS10 = "TLS10"
    TLS11 = "TLS11"
    TLS12 = "TLS12"
    TLS13 = "TLS13"


@value
class TlsParameters:
    """What the two sides may agree on. `maximum` None: the newest that Envoy has. `ciphers` are for
    versions before 1.3, in OpenSSL's names; none: Envoy's choice."""

    minimum: TlsVersion = TlsVersion.TLS12
    maximum: TlsVersion | None = None
    ciphers: tuple[str, ...] = ()


@value
class Secrets:
    """By which names a proxy asks for its certificate, and for whom it trusts. `agent`: the cluster of
    whom it asks; empty: the control plane."""

    identity: str
    ca: str
    agent: str = ""


@value
class InboundTls:
    """Mutual TLS on an inbound. Secrets are fetched over SDS by these names, from `agent`, or from the
    control plane."""

    mode: TlsMode
    identity_secret: str
    ca_secret: str
    san_prefixes: tuple[str, ...]
    parameters: TlsParameters = TlsParameters()
    agent: str = ""


@value
class MutualTls:
    """Mutual TLS towards a destination in the mesh. `sans` are exact SPIFFE ids, sorted; `san_prefixes`
    are what one may begin with."""

    sni: str
    sans: tuple[str, ...]
    identity_secret: str
    ca_secret: str
    parameters: TlsParameters = TlsParameters()
    san_prefixes: tuple[str, ...] = ()
    agent: str = ""


@value
class AlsoKnownAs:
    """One more name that a server's certificate may have, or the beginning of it."""

    name: str
    is_prefix: bool = False


@value
class ExternalTls:
    """TLS that the sidecar originates towards the outside."""

    server_name: str
    ca: bytes | None = None
    client_cert: bytes | None = None
    client_key: SecretBytes | None = None
    allow_renegotiation: bool = False
    skip_hostname_verification: bool = False
    skip_ca_verification: bool = False
    names: tuple[AlsoKnownAs, ...] = ()
    parameters: TlsParameters = TlsParameters()


UpstreamTls = MutualTls | ExternalTls | None
