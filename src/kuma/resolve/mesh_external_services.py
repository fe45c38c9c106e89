"""MeshExternalServices as destinations: addresses outside the mesh, and TLS towards them.

# Differs from Kuma: a sidecar calls them itself; Kuma's go through a zone egress, or nowhere.
Source: reference 6.4; https://kuma.io/docs/2.14.x/networking/meshexternalservice
"""

from kuma.kit.derived import derived
from kuma.plan.endpoint import Endpoint
from kuma.plan.origin import Origin
from kuma.plan.protocol import Protocol, parse_protocol
from kuma.plan.proxy import Diagnostic, ResourcePort
from kuma.plan.tls import AlsoKnownAs, ExternalTls, TlsParameters, TlsVersion
from kuma.resolve.external import Outside, read_certificate, read_pair
from kuma.resolve.view import MeshView
from kuma.resources.kinds.data_source import DataSource
from kuma.resources.kinds.mesh_external_service import (
    MESH_EXTERNAL_SERVICE,
    CertificateSource,
    ExternalTlsSpec,
    MeshExternalServiceSpec,
    SanMatchType,
    Verification,
    VerificationMode,
    VersionRange,
)
from kuma.resources.kinds.mesh_external_service import TlsVersion as SpecVersion

_PROVES_NOTHING = {VerificationMode.SKIP_CA, VerificationMode.SKIP_ALL}
_ANY_NAME = {VerificationMode.SKIP_SAN, VerificationMode.SKIP_ALL}


@derived
def external_protocol(view: MeshView, name: str) -> Protocol:
    spec = _spec(view, name)
    return Protocol.TCP if spec is None else parse_protocol(spec.match.protocol.value)


@derived
def resolve_external(view: MeshView, of: ResourcePort) -> Outside:
    """Without endpoints, where the mesh forbids it, and on terms that cannot be kept, requests are
    refused at once, with 503. # Differs from Kuma, where the egress forbids, with 403."""
    spec = _spec(view, of.name)
    if spec is None or _is_forbidden(view):
        return Outside((), None)
    endpoints = tuple(
        Endpoint(each.address, each.port, priority=each.priority or 0)
        for each in spec.endpoints or ()
    )
    if spec.tls is None or not spec.tls.enabled:
        return Outside(endpoints, None)
    problems: list[Diagnostic] = []
    tls = _tls(view, of, spec.tls, problems)
    return Outside(() if problems else endpoints, tls, tuple(problems))


def _tls(
    view: MeshView, of: ResourcePort, tls: ExternalTlsSpec, problems: list[Diagnostic]
) -> ExternalTls:
    check = tls.verification or Verification()

    def tell(field: str, problem: str) -> None:
        origin = Origin(MESH_EXTERNAL_SERVICE.name, view.mesh_name, of.name)
        problems.append(Diagnostic(origin, f"spec.tls.verification.{field}", problem))

    names_count = check.mode not in _ANY_NAME
    shows = check.mode is not VerificationMode.SKIP_ALL
    cert, key = (
        read_pair(view, _source(check.client_cert), _source(check.client_key), tell)
        if shows
        else (None, None)
    )
    return ExternalTls(
        server_name=(check.server_name or "") if names_count else "",
        ca=None
        if check.mode in _PROVES_NOTHING
        else read_certificate(view, _source(check.ca_cert), "caCert", tell),
        client_cert=cert,
        client_key=key,
        allow_renegotiation=tls.allow_renegotiation,
        skip_hostname_verification=not names_count,
        skip_ca_verification=check.mode in _PROVES_NOTHING,
        names=tuple(
            AlsoKnownAs(each.value, is_prefix=each.type is SanMatchType.PREFIX)
            for each in check.subject_alt_names or ()
        )
        if names_count
        else (),
        parameters=_parameters(tls.version or VersionRange()),
    )


def _source(source: CertificateSource | None) -> DataSource | None:
    return None if source is None else source.as_data_source()


def _parameters(version: VersionRange) -> TlsParameters:
    oldest, newest = _version(version.min), _version(version.max)
    return TlsParameters(TlsVersion.TLS12 if oldest is None else oldest, newest)


def _version(version: SpecVersion) -> TlsVersion | None:
    return None if version is SpecVersion.AUTO else TlsVersion(version.value)


def _is_forbidden(view: MeshView) -> bool:
    mesh = view.mesh()
    routing = None if mesh is None else mesh.spec.routing
    return routing is not None and routing.default_forbid_mesh_external_service_access


def _spec(view: MeshView, name: str) -> MeshExternalServiceSpec | None:
    found = view.service(MESH_EXTERNAL_SERVICE.name, name)
    spec = found.spec if found is not None else None
    return spec if isinstance(spec, MeshExternalServiceSpec) else None
