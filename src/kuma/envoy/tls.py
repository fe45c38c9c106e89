"""TLS contexts: what a sidecar shows and demands, inbound, outbound and towards the outside.

Certificates and keys of the mesh are never part of a listener or a cluster: Envoy fetches them by
name over SDS, on the same ADS stream, so that they rotate without touching any connection.
"""

from functools import lru_cache

from envoy.config.core.v3.base_pb2 import DataSource, TransportSocket
from envoy.extensions.transport_sockets.tls.v3.common_pb2 import (
    CertificateValidationContext,
    SubjectAltNameMatcher,
    TlsCertificate,
    TlsParameters,
)
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import (
    CommonTlsContext,
    DownstreamTlsContext,
    UpstreamTlsContext,
)
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from google.protobuf.wrappers_pb2 import BoolValue

from kuma.envoy.address import ADS, asking, is_ip
from kuma.envoy.message import pack
from kuma.plan import names
from kuma.plan.tls import AlsoKnownAs, ExternalTls, InboundTls, MutualTls, Secrets, TlsVersion
from kuma.plan.tls import TlsParameters as Agreed

TRANSPORT_SOCKET = "envoy.transport_sockets.tls"
MESH_ALPN = "kuma"  # tells a sidecar's TLS from an application's own, where both may come in
ADMIN_CLIENT = "kuma-cp"  # the DNS name in the certificate with which control planes come

_VERSIONS = {
    TlsVersion.TLS10: TlsParameters.TLSv1_0,
    TlsVersion.TLS11: TlsParameters.TLSv1_1,
    TlsVersion.TLS12: TlsParameters.TLSv1_2,
    TlsVersion.TLS13: TlsParameters.TLSv1_3,
}
_DEFAULT = Agreed()
_OF_ADMIN = Secrets(names.ADMIN_IDENTITY, names.ADMIN_CA)
_REQUIRED = BoolValue(value=True)


@lru_cache(maxsize=64)
def inbound_socket(tls: InboundTls) -> TransportSocket:
    """Ends a sidecar's TLS: only clients with a certificate of the mesh come in."""
    sans = [_uri(StringMatcher(prefix=prefix)) for prefix in tls.san_prefixes]
    context = DownstreamTlsContext(
        common_tls_context=_mutual(tls, sans),
        require_client_certificate=_REQUIRED,
    )
    return TransportSocket(name=TRANSPORT_SOCKET, typed_config=pack(context))


def outbound_socket(tls: MutualTls) -> TransportSocket:
    """Begins TLS towards another sidecar, which must own one of the identities `sans`."""
    sans = [_uri(StringMatcher(exact=san)) for san in tls.sans]
    sans += [_uri(StringMatcher(prefix=prefix)) for prefix in tls.san_prefixes]
    common = _mutual(tls, sans)
    common.alpn_protocols.append(MESH_ALPN)
    context = UpstreamTlsContext(common_tls_context=common, sni=tls.sni)
    return TransportSocket(name=TRANSPORT_SOCKET, typed_config=pack(context))


def admin_socket() -> TransportSocket:
    """Ends the TLS of a control plane that wants to look into Envoy, and of nobody else."""
    san = SubjectAltNameMatcher(
        san_type=SubjectAltNameMatcher.DNS, matcher=StringMatcher(exact=ADMIN_CLIENT)
    )
    context = DownstreamTlsContext(
        common_tls_context=_context(_OF_ADMIN, [san], _DEFAULT),
        require_client_certificate=_REQUIRED,
    )
    return TransportSocket(name=TRANSPORT_SOCKET, typed_config=pack(context))


def file_socket(certificate: str, key: str) -> TransportSocket:
    """Ends TLS with files of the proxy's machine; clients need no certificate."""
    files = TlsCertificate(
        certificate_chain=DataSource(filename=certificate), private_key=DataSource(filename=key)
    )
    common = CommonTlsContext(tls_params=_parameters(_DEFAULT), tls_certificates=[files])
    context = DownstreamTlsContext(common_tls_context=common)
    return TransportSocket(name=TRANSPORT_SOCKET, typed_config=pack(context))


def external_socket(tls: ExternalTls, *, host: str, system_ca_path: str) -> TransportSocket:
    """Begins TLS towards an external service at `host`.

    The server is verified against the service's own CA.
    Differs from Kuma: without one, against the system's CAs at `system_ca_path` of the proxy's
    machine; Kuma then accepts any certificate of an ExternalService.
    """
    name = tls.server_name or host
    context = UpstreamTlsContext(
        sni="" if is_ip(name) else name,
        allow_renegotiation=tls.allow_renegotiation,
        common_tls_context=CommonTlsContext(tls_params=_parameters(tls.parameters)),
    )
    common = context.common_tls_context
    if tls.client_cert and tls.client_key:
        common.tls_certificates.append(
            TlsCertificate(
                certificate_chain=DataSource(inline_bytes=tls.client_cert),
                private_key=DataSource(inline_bytes=tls.client_key.reveal),
            )
        )
    if not tls.skip_ca_verification and (tls.ca or system_ca_path):
        trusted = DataSource(inline_bytes=tls.ca) if tls.ca else DataSource(filename=system_ca_path)
        sans = [] if tls.skip_hostname_verification else _host_sans(name, tls.names)
        common.validation_context.CopyFrom(
            CertificateValidationContext(trusted_ca=trusted, match_typed_subject_alt_names=sans)
        )
    return TransportSocket(name=TRANSPORT_SOCKET, typed_config=pack(context))


def _mutual(tls: InboundTls | MutualTls, sans: list[SubjectAltNameMatcher]) -> CommonTlsContext:
    secrets = Secrets(tls.identity_secret, tls.ca_secret, tls.agent)
    return _context(secrets, sans, tls.parameters)


def _context(
    secrets: Secrets, sans: list[SubjectAltNameMatcher], parameters: Agreed
) -> CommonTlsContext:
    made = CommonTlsContext()
    made.CopyFrom(_with_secrets(secrets, parameters))
    validation = made.combined_validation_context.default_validation_context
    validation.match_typed_subject_alt_names.extend(sans)
    return made


@lru_cache(maxsize=64)
def _with_secrets(secrets: Secrets, parameters: Agreed) -> CommonTlsContext:
    """The part that all destinations of a mesh have in common; copying it is cheap."""
    source = asking(secrets.agent) if secrets.agent else ADS
    return CommonTlsContext(
        tls_params=_parameters(parameters),
        tls_certificate_sds_secret_configs=[
            SdsSecretConfig(name=secrets.identity, sds_config=source)
        ],
        combined_validation_context=CommonTlsContext.CombinedCertificateValidationContext(
            default_validation_context=CertificateValidationContext(),
            validation_context_sds_secret_config=SdsSecretConfig(
                name=secrets.ca, sds_config=source
            ),
        ),
    )


def _parameters(wanted: Agreed) -> TlsParameters:
    """Left to itself Envoy begins TLS with 1.2 at most.
    Differs from Kuma, where a minimum of 1.3 therefore ends all traffic in the mesh."""
    made = TlsParameters(
        tls_minimum_protocol_version=_VERSIONS[wanted.minimum], cipher_suites=wanted.ciphers
    )
    newest = wanted.minimum if wanted.minimum is TlsVersion.TLS13 else wanted.maximum
    if newest is not None:
        made.tls_maximum_protocol_version = _VERSIONS[newest]
    return made


def _uri(matcher: StringMatcher) -> SubjectAltNameMatcher:
    return SubjectAltNameMatcher(san_type=SubjectAltNameMatcher.URI, matcher=matcher)


def _host_sans(name: str, others: tuple[AlsoKnownAs, ...]) -> list[SubjectAltNameMatcher]:
    matchers = [StringMatcher(exact=name)]
    for each in others:
        made = StringMatcher(prefix=each.name) if each.is_prefix else StringMatcher(exact=each.name)
        matchers.append(made)
    return [
        SubjectAltNameMatcher(san_type=kind, matcher=matcher)
        for matcher in matchers
        for kind in (SubjectAltNameMatcher.DNS, SubjectAltNameMatcher.IP_ADDRESS)
    ]
