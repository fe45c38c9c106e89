"""The dataplane token: given as a value or as a file, which may be replaced while we run.

A token that the bootstrap answer carries would be sent for ever, also after it was rotated. So for
a token from a file Envoy takes it from a secret that we write anew when the file changes:

    token file --(changed)--> work dir/dataplane-token.json --(Envoy watches)--> `authorization`

# Differs from Kuma: there only a control plane with enableReloadableTokens makes Envoy read the
token again; here every control plane will do. Source for the filter:
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/credential_injector_filter
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kuma.dataplane.errors import BadToken

_SECRET_NAME = "dataplane_token"  # noqa: S105  # the name of a secret, not one
_SECRET_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True, slots=True)
class Token:
    """`path` is set if the token is a file's, and is read again when that changes."""

    value: str
    path: Path | None = None

    def __repr__(self) -> str:
        return f"Token(<redacted>, path={self.path})"


def read_token(value: str, path: Path | None, *, now: datetime) -> Token | None:
    """A value wins over a file, as in Kuma. None: there is no token. Raises BadToken."""
    if value:
        return Token(_check("--dataplane-token", value.strip(), now))
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError as error:
        raise BadToken(f"{path}: is not a token: not even text") from error
    except OSError as error:
        raise BadToken(f"{path}: the token cannot be read: {error.strerror}") from error
    return Token(_check(str(path), text, now), path.absolute())


def _check(source: str, text: str, now: datetime) -> str:
    """Whether it may be a token at all; whether it is a good one, the control plane knows."""
    if not text:
        raise BadToken(f"{source}: the token is empty")
    if any(char.isspace() for char in text):
        raise BadToken(f"{source}: a token has no spaces or line breaks within")
    parts = text.split(".")
    if len(parts) != 3 or "alg" not in _claims(parts[0]):
        raise BadToken(
            f"{source}: is not a token (a JWT); make one with 'kumactl generate dataplane-token'"
        )
    expires = _claims(parts[1]).get("exp")
    if isinstance(expires, int | float) and expires <= now.timestamp():
        at = datetime.fromtimestamp(expires, UTC).isoformat()
        raise BadToken(f"{source}: the token expired at {at}")
    return text


def _claims(part: str) -> dict[str, Any]:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return decoded if isinstance(decoded, dict) else {}


def secret_file(token: str) -> str:
    """The discovery response that Envoy reads from a file: one generic secret."""
    secret = {
        "@type": _SECRET_TYPE,
        "name": _SECRET_NAME,
        "generic_secret": {"secret": {"inline_string": token}},
    }
    return json.dumps({"resources": [secret]})


def take_token_from(bootstrap: Mapping[str, Any], secret: Path) -> bool:
    """Change `bootstrap` so that streams to the control plane carry the token in `secret`.

    False, and nothing changed: the answer carries no token, or makes Envoy read the file itself.
    """
    clusters = {each["name"]: each for each in bootstrap["staticResources"].get("clusters", ())}
    services = [
        service
        for service in _services(bootstrap)
        if _HTTP_OPTIONS in _options_of(clusters.get(_cluster(service), {}))
        and any(each["key"] == "authorization" for each in service.get("initialMetadata", ()))
    ]
    for service in services:
        kept = [each for each in service["initialMetadata"] if each["key"] != "authorization"]
        service["initialMetadata"] = kept
    for name in {_cluster(service) for service in services}:
        options = _options_of(clusters[name])[_HTTP_OPTIONS]
        options["httpFilters"] = [*_filters(secret), *options.get("httpFilters", ())]
    return bool(services)


def _services(bootstrap: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The gRPC services of configuration and health discovery."""
    yield from bootstrap.get("dynamicResources", {}).get("adsConfig", {}).get("grpcServices", ())
    yield from bootstrap.get("hdsConfig", {}).get("grpcServices", ())


def _cluster(service: Mapping[str, Any]) -> str:
    return str(service.get("envoyGrpc", {}).get("clusterName", ""))


def _options_of(cluster: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = cluster.get("typedExtensionProtocolOptions", {})
    return options


def _filters(secret: Path) -> list[dict[str, Any]]:
    source = {"pathConfigSource": {"path": str(secret)}, "resourceApiVersion": "V3"}
    credential = {
        "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
        "credential": {"name": _SECRET_NAME, "sdsConfig": source},
    }
    injector = {
        "@type": "type.googleapis.com/"
        "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector",
        "overwrite": True,
        "credential": {
            "name": "envoy.http.injected_credentials.generic",
            "typedConfig": credential,
        },
    }
    codec = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec"
    }
    return [
        {"name": "envoy.filters.http.credential_injector", "typedConfig": injector},
        {"name": "envoy.filters.http.upstream_codec", "typedConfig": codec},
    ]
