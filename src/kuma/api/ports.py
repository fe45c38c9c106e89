"""What the API needs from the rest of the control plane, and nothing else of it."""

from collections.abc import Sequence
from typing import Any, Protocol

from kuma.kit.value import value
from kuma.resources.kinds.mesh_insight import MeshInsightSpec
from kuma.resources.kinds.service_insight import ServiceInsightSpec
from kuma.resources.kri import Kri
from kuma.resources.resource import AnyResource, Resource


class Insights(Protocol):
    """Counts over meshes, of this moment."""

    def mesh_insight(self, mesh: str) -> Resource[MeshInsightSpec] | None:
        """None if there is no such mesh."""

    def mesh_insights(self) -> Sequence[Resource[MeshInsightSpec]]:
        """Sorted by mesh."""

    def service_insights(self, mesh: str | None = None) -> Sequence[Resource[ServiceInsightSpec]]:
        """One for each service, sorted by mesh and name; of all meshes if `mesh` is None."""

    def global_insight(self) -> dict[str, Any]:
        """The answer of `/global-insight`."""


class Inspector(Protocol):
    """What the control plane does with a dataplane, in the JSON form of reference 2.2.

    Every method raises NotFound for a dataplane that does not exist.
    """

    def rules(self, mesh: str, name: str) -> dict[str, Any]:
        """The answer of `_rules`."""

    def config(self, mesh: str, name: str, *, shadow: bool, include_diff: bool) -> dict[str, Any]:
        """The answer of `_config`. NotFound too if the proxy has never been connected."""

    def policies(self, mesh: str, name: str) -> dict[str, Any]:
        """The answer of `dataplanes/{name}/policies`: what is attached to what."""

    def attached_rules(self, mesh: str, name: str) -> dict[str, Any]:
        """The answer of `dataplanes/{name}/rules`, the older form of `_rules`."""

    def layout(self, mesh: str, name: str) -> dict[str, Any]:
        """The answer of `_layout`."""

    def proxy_policies(self, mesh: str, name: str) -> dict[str, Any]:
        """The answer of `_policies`."""

    def inbound_policies(self, mesh: str, name: str, inbound: Kri) -> dict[str, Any] | None:
        """The answer of `_inbounds/{kri}/_policies`. None: there is no such inbound."""

    def outbound_policies(
        self, mesh: str, name: str, outbound: Kri, route: Kri | None = None
    ) -> dict[str, Any]:
        """The answer of `_outbounds/{kri}/_policies`, and of `_routes/{kri}/_policies` below it."""

    def outbound_routes(self, mesh: str, name: str, outbound: Kri) -> dict[str, Any]:
        """The answer of `_outbounds/{kri}/_routes`."""

    def selected_dataplanes(
        self, by: AnyResource, *, include_shadow: bool = True
    ) -> Sequence[AnyResource]:
        """The dataplanes that a policy's top-level target selects, or a MeshService, sorted by name."""

    async def envoy_admin(
        self,
        mesh: str,
        name: str,
        what: str,
        *,
        format: str,  # noqa: A002 - Envoy's own word
        include_eds: bool,
    ) -> bytes:
        """What Envoy's admin interface says: `what` is `xds`, `stats` or `clusters`, `format`
        `text` or `json`. Raises Unavailable if the proxy cannot be asked."""


@value
class InstanceFacts:
    """Who answers. `cluster_id` is shared by all instances on one store."""

    hostname: str
    instance_id: str
    cluster_id: str
    version: str
    product: str = "Kuma"
