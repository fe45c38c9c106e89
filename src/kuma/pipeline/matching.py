"""Which MeshServices are behind each MeshMultiZoneService, kept current change by change.

As `membership.py` does for Dataplanes behind MeshServices. What changes but the labels of a MeshService
costs a comparison.
"""

from collections import defaultdict
from collections.abc import Mapping

from kuma.resources.admission import spec_as
from kuma.resources.kinds.mesh_multi_zone_service import (
    MESH_MULTI_ZONE_SERVICE,
    MeshMultiZoneServiceSpec,
)
from kuma.resources.kinds.service_status import MatchLabels
from kuma.resources.store import Change

Place = tuple[str, str]
"""(mesh, name)"""


class Matching:
    def __init__(self) -> None:
        self._labels: dict[str, dict[str, Mapping[str, str]]] = defaultdict(dict)
        self._selectors: dict[str, dict[str, MatchLabels]] = defaultdict(dict)
        self._matched: dict[Place, set[str]] = {}

    def changed(self, change: Change) -> set[Place]:
        """The MeshMultiZoneServices with other MeshServices behind them. `change` is of either."""
        mesh, name = change.key.mesh, change.key.name
        if change.key.kind == MESH_MULTI_ZONE_SERVICE.name:
            spec = spec_as(MeshMultiZoneServiceSpec, change.resource)
            selector = None if spec is None else spec.selector.mesh_service
            return self._selector_changed(mesh, name, selector)
        labels = None if change.resource is None else change.resource.labels
        return self._labels_changed(mesh, name, labels)

    def services_of(self, mesh: str, multi_zone_service: str) -> tuple[str, ...]:
        """Names of the MeshServices, sorted."""
        return tuple(sorted(self._matched.get((mesh, multi_zone_service), ())))

    def _selector_changed(self, mesh: str, name: str, selector: MatchLabels | None) -> set[Place]:
        place, held = (mesh, name), self._selectors[mesh]
        if held.get(name) == selector:
            return set()
        if selector is None:
            del held[name], self._matched[place]
            return {place}
        held[name] = selector
        services = self._labels[mesh].items()
        self._matched[place] = {each for each, labels in services if selector.matches(labels)}
        return {place}

    def _labels_changed(self, mesh: str, name: str, labels: Mapping[str, str] | None) -> set[Place]:
        held = self._labels[mesh]
        if held.get(name) == labels:
            return set()
        if labels is None:
            del held[name]
        else:
            held[name] = labels
        touched = set()
        for service, selector in self._selectors[mesh].items():
            matched = self._matched[mesh, service]
            matches = labels is not None and selector.matches(labels)
            if matches == (name in matched):
                continue
            (matched.add if matches else matched.discard)(name)
            touched.add((mesh, service))
        return touched
