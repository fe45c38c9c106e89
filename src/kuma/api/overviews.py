"""Overviews: a proxy or zone together with what the control plane knows of it.

Source: reference 2.1. Nothing of them is stored.
"""

from dataclasses import dataclass
from typing import Any

from kuma.resources.codec import document_bytes
from kuma.resources.kind import Kind
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DATAPLANE_OVERVIEW
from kuma.resources.kinds.zone import ZONE, ZONE_OVERVIEW
from kuma.resources.kinds.zone_insight import ZONE_INSIGHT
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource, Resource
from kuma.resources.spec import SpecModel


@dataclass(frozen=True)
class OverviewKind:
    """`subject` is the kind that is shown, with its `insight`; `legacy` is an older path of it."""

    subject: Kind[Any]
    insight: Kind[Any]
    overview: Kind[Any]
    subject_field: str
    insight_field: str
    legacy: str

    def find_insight(self, replica: Replica, subject: AnyResource) -> AnyResource | None:
        return replica.find(ResourceKey(self.insight.name, subject.mesh, subject.name))

    def document(self, subject: AnyResource, insight: SpecModel | None) -> bytes:
        """Remembered on the subject for as long as its insight is the same."""
        known = subject.__dict__.get("_overview")
        if known is not None and known[0] is insight:
            remembered: bytes = known[1]
            return remembered
        fields = {self.subject_field: subject.spec, self.insight_field: insight}
        spec = self.overview.spec.model_construct(**fields)
        built = document_bytes(Resource(self.overview, subject.meta, spec))
        object.__setattr__(subject, "_overview", (insight, built))
        return built


_ALL = (
    OverviewKind(
        DATAPLANE,
        DATAPLANE_INSIGHT,
        DATAPLANE_OVERVIEW,
        subject_field="dataplane",
        insight_field="dataplane_insight",
        legacy="dataplanes+insights",
    ),
    OverviewKind(
        ZONE,
        ZONE_INSIGHT,
        ZONE_OVERVIEW,
        subject_field="zone",
        insight_field="zone_insight",
        legacy="zones+insights",
    ),
)
_BY_SUBJECT = {each.subject.name: each for each in _ALL}


def find_overview(kind: Kind[Any]) -> OverviewKind | None:
    """None: this kind has no insight."""
    return _BY_SUBJECT.get(kind.name)
