"""How policies travel: written on both sides, to every zone, producer policies across zones."""

from kuma.resources.kind import Sync

POLICY = (
    Sync.GLOBAL_TO_ZONES
    | Sync.ZONE_TO_GLOBAL
    | Sync.ACROSS_ZONES
    | Sync.WRITTEN_BY_GLOBAL
    | Sync.WRITTEN_BY_ZONE
)
