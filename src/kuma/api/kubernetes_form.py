"""A resource as a Kubernetes manifest: `?format=k8s`.

Source: reference 1.0 and 2.1, and what Kuma 2.14 answers.
"""

from typing import Any

from starlette.requests import Request

from kuma.resources import labels as well_known
from kuma.resources.errors import InvalidResource
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT
from kuma.resources.kinds.secret import GLOBAL_SECRET, SECRET
from kuma.resources.resource import AnyResource
from kuma.resources.violation import Violation

_API_VERSION = "kuma.io/v1alpha1"
_NAMESPACED_AT_ROOT = (DATAPLANE, DATAPLANE_INSIGHT)
"""Of the older kinds; the newer ones are all namespaced."""
_SECRET_TYPES = {
    SECRET.name: "system.kuma.io/secret",
    GLOBAL_SECRET.name: "system.kuma.io/global-secret",
}
_COMPUTED = frozenset(
    {
        well_known.MESH,
        well_known.ORIGIN,
        well_known.ZONE,
        well_known.ENV,
        well_known.PROXY_TYPE,
    }
)
"""A control plane sets these anew when the manifest is applied."""


def is_kubernetes_asked(request: Request) -> bool:
    """By the parameter `format`. Raises InvalidResource if it is neither form."""
    wanted = request.query_params.get("format", "")
    if wanted not in {"", "universal", "k8s", "kubernetes"}:
        message = 'must be one of ["k8s", "kubernetes", "universal"]'
        raise InvalidResource((Violation("format", message),))
    return wanted in {"k8s", "kubernetes"}


def to_manifest(resource: AnyResource, *, namespace: str) -> dict[str, Any]:
    """`namespace` is for kinds that live in one."""
    if resource.kind.name in _SECRET_TYPES:
        return _secret(resource, namespace)
    kind = resource.kind
    is_namespaced = not kind.spec_at_root or kind in _NAMESPACED_AT_ROOT
    manifest = {
        "kind": kind.name,
        "apiVersion": _API_VERSION,
        "metadata": _metadata(
            resource,
            namespace=namespace if is_namespaced else "",
            mesh="" if kind.spec_at_root else resource.mesh,
        ),
    }
    if kind.spec_at_root and resource.mesh:
        manifest["mesh"] = resource.mesh
    manifest["spec"] = resource.spec.to_json()
    if resource.status is not None:
        manifest["status"] = resource.status.to_json()
    return manifest


def _secret(resource: AnyResource, namespace: str) -> dict[str, Any]:
    return {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": _metadata(resource, namespace=namespace, mesh=resource.mesh),
        "data": {"value": resource.spec.to_json().get("data", "")},
        "type": _SECRET_TYPES[resource.kind.name],
    }


def _metadata(resource: AnyResource, *, namespace: str, mesh: str) -> dict[str, Any]:
    # Differs from Kuma: it drops the labels that users gave, `kuma.io/effect: shadow` among them.
    given = {k: v for k, v in resource.labels.items() if k not in _COMPUTED}
    labels = given | ({well_known.MESH: mesh} if mesh else {})
    return {
        "name": resource.name,
        **({"namespace": namespace} if namespace else {}),
        "creationTimestamp": resource.meta.creation_time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **({"labels": dict(sorted(labels.items()))} if labels else {}),
    }
