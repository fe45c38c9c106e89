"""Services outside of the mesh, as destinations.

Source: Kuma, documentation of the policy External Service.
"""

from kuma.kit.derived import derived
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
        endpoints=tuple(_endpoint(each) for each in chosen),
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

    def read(source: DataSource | None, field: str) -> bytes | None:
        if source is None:
            return None
        content, problem = read_source(view, source)
        if problem:
            path = f"networking.tls.{field}"
            problems.append(Diagnostic(_origin(resource), path, problem))
        return content

    key = read(tls.client_key, "clientKey")
    made = ExternalTls(
        server_name=tls.server_name or resource.spec.networking.host,
        ca=read(tls.ca_cert, "caCert"),
        client_cert=read(tls.client_cert, "clientCert"),
        client_key=None if key is None else SecretBytes(key),
        allow_renegotiation=bool(tls.allow_renegotiation),
        skip_hostname_verification=bool(tls.skip_hostname_verification),
    )
    return made, problems


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
