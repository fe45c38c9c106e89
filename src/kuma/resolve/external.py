"""Services outside of the mesh, as destinations.

Source: Kuma, documentation of the policy External Service.
"""

from collections.abc import Callable

from kuma.kit.derived import derived
from kuma.kit.pem import find_certificate_error, find_pair_error
from kuma.kit.value import value
from kuma.plan.endpoint import Endpoint
from kuma.plan.origin import Origin
from kuma.plan.proxy import Diagnostic
from kuma.plan.secret import SecretBytes
from kuma.plan.tags import Tags, as_tags
from kuma.plan.tls import ExternalTls
from kuma.resolve.match import matches_tags
from kuma.resolve.view import MeshView
from kuma.resources.kinds.data_source import DataSource
from kuma.resources.kinds.external_service import EXTERNAL_SERVICE, ExternalServiceSpec
from kuma.resources.resource import Resource

Tell = Callable[[str, str], None]
"""Called with a field and what is wrong with it."""


@value
class Outside:
    endpoints: tuple[Endpoint, ...]
    tls: ExternalTls | None
    diagnostics: tuple[Diagnostic, ...] = ()


@derived
def resolve_outside(view: MeshView, service: str, tags: Tags) -> Outside | None:
    """None: the service is not an external one, or is served in the mesh as well."""
    if view.service_inbounds(service):
        return None
    found = view.external_services(service)
    if not found:
        return None
    chosen = [each for each in found if matches_tags(tags, each.spec.tags)]
    settings = [_tls(view, each) for each in chosen]
    diagnostics = [each for _, problems in settings for each in problems]
    distinct = dict.fromkeys(tls for tls, _ in settings)
    if len(distinct) > 1:
        text = "external services of one service must agree on TLS; the first one's is used"
        diagnostics.append(Diagnostic(_origin(chosen[0]), "networking.tls", text))
    return Outside(
        endpoints=tuple(
            _endpoint(each)
            for each, (_, problems) in zip(chosen, settings, strict=True)
            if not problems
        ),
        tls=next(iter(distinct), None),
        diagnostics=tuple(diagnostics),
    )


def _endpoint(resource: Resource[ExternalServiceSpec]) -> Endpoint:
    networking = resource.spec.networking
    return Endpoint(networking.host, networking.port, as_tags(resource.spec.tags))


def _tls(
    view: MeshView, resource: Resource[ExternalServiceSpec]
) -> tuple[ExternalTls | None, list[Diagnostic]]:
    tls = resource.spec.networking.tls
    if tls is None or not tls.enabled:
        return None, []
    problems: list[Diagnostic] = []

    def tell(field: str, problem: str) -> None:
        problems.append(Diagnostic(_origin(resource), f"networking.tls.{field}", problem))

    cert, key = read_pair(view, tls.client_cert, tls.client_key, tell)
    made = ExternalTls(
        server_name=tls.server_name or resource.spec.networking.host,
        ca=read_certificate(view, tls.ca_cert, "caCert", tell),
        client_cert=cert,
        client_key=key,
        allow_renegotiation=bool(tls.allow_renegotiation),
        skip_hostname_verification=bool(tls.skip_hostname_verification),
    )
    return made, problems


def read_certificate(
    view: MeshView, source: DataSource | None, field: str, tell: Tell
) -> bytes | None:
    """None, and the reason is told, if there is none that Envoy takes. Nobody is called then: not on
    other terms than those that were asked for.

    # Differs from Kuma, where Envoy then refuses the cluster.
    """
    content = _read(view, source, field, tell)
    problem = "" if content is None else find_certificate_error(content)
    if problem:
        tell(field, problem)
    return None if problem else content


def read_pair(
    view: MeshView, cert: DataSource | None, key: DataSource | None, tell: Tell
) -> tuple[bytes | None, SecretBytes | None]:
    """A client certificate with its key, as `read_certificate`."""
    cert_pem = read_certificate(view, cert, "clientCert", tell)
    key_pem = _read(view, key, "clientKey", tell)
    if cert_pem is None or key_pem is None:
        return None, None
    if problem := find_pair_error(cert_pem, key_pem):
        tell("clientKey", problem)
        return None, None
    return cert_pem, SecretBytes(key_pem)


def _read(view: MeshView, source: DataSource | None, field: str, tell: Tell) -> bytes | None:
    if source is None:
        return None
    content, problem = read_source(view, source)
    if problem:
        tell(field, problem)
    return content


def read_source(view: MeshView, source: DataSource) -> tuple[bytes | None, str]:
    """The content, or what is wrong. Files are those of the control plane."""
    if source.secret is not None:
        secret = view.secret(source.secret)
        return (secret.reveal, "") if secret else (None, f'there is no secret "{source.secret}"')
    if source.file is not None:
        content = view.file(source.file)
        return content, "" if content is not None else f'cannot read the file "{source.file}"'
    if source.inline is not None:
        return source.inline, ""
    return (source.inline_string or "").encode(), ""


def _origin(resource: Resource[ExternalServiceSpec]) -> Origin:
    return Origin(EXTERNAL_SERVICE.name, resource.mesh, resource.name)
