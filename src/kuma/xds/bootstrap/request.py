"""The request of a starting kuma-dp, as JSON. Fields that nobody here reads are ignored."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import from_json

from kuma.xds.bootstrap.errors import BadRequest


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )


class KumaDpVersion(_Part):
    version: str = ""
    git_tag: str = ""
    git_commit: str = ""
    build_date: str = ""


class EnvoyVersion(_Part):
    version: str = ""
    build: str = ""
    kuma_dp_compatible: bool = False


class Version(_Part):
    kuma_dp: KumaDpVersion = KumaDpVersion()
    envoy: EnvoyVersion = EnvoyVersion()


class MetricsResources(_Part):
    cert_path: str = ""
    key_path: str = ""


class SpireResources(_Part):
    socket_path: str = ""


class BootstrapRequest(_Part):
    """`dataplane_resource` is a document as JSON text; empty: the Dataplane exists already.

    `app_probe_proxy_enabled` travels as `appProbeProxyDisabled`, with the meaning of this name:
    a slip of Kuma's protocol that both sides must keep, https://github.com/kumahq/kuma/issues/13885.
    """

    mesh: str = ""
    name: str = ""
    proxy_type: str = "dataplane"
    dataplane_token: str = Field("", repr=False)
    dataplane_token_path: str = ""
    dataplane_resource: str = ""
    version: Version = Version()
    ca_cert: str = ""
    dynamic_metadata: dict[str, str] = Field(default_factory=dict)
    otel_env: dict[str, Any] | None = None
    dns_port: int = Field(0, alias="dnsPort")
    readiness_port: int = 0
    app_probe_proxy_enabled: bool = Field(default=False, alias="appProbeProxyDisabled")
    features: tuple[str, ...] = ()
    workdir: str = ""
    metrics_resources: MetricsResources = MetricsResources()
    system_ca_path: str = ""
    transparent_proxy: dict[str, Any] | None = Field(None, alias="dataplaneConfig")
    ipv6_enabled: bool = False
    spire_resources: SpireResources = SpireResources()

    @property
    def node_id(self) -> str:
        """Of zone proxies the mesh is empty: `.name`."""
        return f"{self.mesh}.{self.name}"

    @property
    def has_token(self) -> bool:
        return bool(self.dataplane_token or self.dataplane_token_path)


def parse_request(body: bytes) -> BootstrapRequest:
    """Raises BadRequest that names the field. `null` is the same as nothing, as Go has it."""
    try:
        raw = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"the request is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise BadRequest("the request must be a JSON object")
    try:
        return BootstrapRequest.model_validate(_without_nulls(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{path}: {first['msg']}") from error


def _without_nulls(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nulls(each) if isinstance(each, dict) else each
        for key, each in raw.items()
        if each is not None and (key != "proxyType" or each)
    }
