"""What a proxy brings along in the metadata of its node: its Dataplane, and its version.

Source: Kuma, `kuma-dp run --dataplane-file`; reference 4.3.
"""

from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import from_json

from kuma.kit import aside
from kuma.pipeline.delivery import ProxyNode, ProxyRefused
from kuma.resources.codec import read_document
from kuma.resources.errors import InvalidResource
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.kinds.dataplane_insight import EnvoyVersion, KumaDpVersion, Version
from kuma.resources.meta import ResourceKey
from kuma.resources.registry import Registry
from kuma.resources.resource import Resource
from kuma.resources.spec import SpecModel, parse_spec

Dataplane = Resource[DataplaneSpec]


def brought_by(node: ProxyNode, registry: Registry) -> Dataplane | None:
    """None: it brought none. Its form is checked here, its rules when it is registered. Raises
    ProxyRefused."""
    text = node.metadata.get("dataplane.resource")
    if not text:
        return None
    if size_brought(node) > aside.LARGEST:
        raise ProxyRefused(
            "invalid_argument",
            f"the Dataplane must not be longer than {aside.LARGEST // (1024 * 1024)} MiB",
        )
    try:
        resource = read_document(registry, from_json(text, allow_inf_nan=False))
    except (TypeError, ValueError, InvalidResource) as error:
        raise ProxyRefused("invalid_argument", f"the Dataplane is not valid: {error}") from error
    if resource.key != ResourceKey(DATAPLANE.name, node.mesh, node.name):
        raise ProxyRefused(
            "invalid_argument",
            f'the node id "{node.node_id}" is not that of {resource.key}, which it brought',
        )
    return cast("Dataplane", resource)


def size_brought(node: ProxyNode) -> int:
    """Characters of its Dataplane."""
    text = node.metadata.get("dataplane.resource")
    return len(text) if isinstance(text, str) else 0


def version_said(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The `version` metadata in the shape of a DataplaneInsight's subscription. A proxy may say
    anything: what does not fit is left out."""
    raw = metadata.get("version")
    found: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    known = {"kumaDp": _fitting(KumaDpVersion, found.get("kumaDp"))}
    known["envoy"] = _fitting(EnvoyVersion, found.get("envoy"))
    known |= _fitting(Version, {"dependencies": found.get("dependencies")})
    if known["kumaDp"]:
        known["kumaDp"]["kumaCpCompatible"] = True
    return {name: part for name, part in known.items() if part}


def _fitting(model: type[SpecModel], raw: object) -> dict[str, Any]:
    pairs = raw.items() if isinstance(raw, Mapping) else ()
    return {key: part for key, part in pairs if parse_spec(model, {key: part})[0] is not None}
