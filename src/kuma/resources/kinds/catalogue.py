"""All kinds that are not policies."""

from typing import Any

from kuma.resources.kind import Kind
from kuma.resources.kinds.config import CONFIG
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.dataplane_insight import DATAPLANE_INSIGHT, DATAPLANE_OVERVIEW
from kuma.resources.kinds.external_service import EXTERNAL_SERVICE
from kuma.resources.kinds.hostname_generator import HOSTNAME_GENERATOR
from kuma.resources.kinds.mesh import MESH
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY
from kuma.resources.kinds.mesh_insight import MESH_INSIGHT
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_open_telemetry_backend import MESH_OPEN_TELEMETRY_BACKEND
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.kinds.mesh_trust import MESH_TRUST
from kuma.resources.kinds.secret import GLOBAL_SECRET, SECRET
from kuma.resources.kinds.service_insight import SERVICE_INSIGHT
from kuma.resources.kinds.workload import WORKLOAD
from kuma.resources.kinds.zone import ZONE, ZONE_OVERVIEW
from kuma.resources.kinds.zone_insight import ZONE_INSIGHT

CORE_KINDS: tuple[Kind[Any], ...] = (
    MESH,
    DATAPLANE,
    DATAPLANE_INSIGHT,
    DATAPLANE_OVERVIEW,
    EXTERNAL_SERVICE,
    MESH_SERVICE,
    MESH_EXTERNAL_SERVICE,
    MESH_OPEN_TELEMETRY_BACKEND,
    MESH_MULTI_ZONE_SERVICE,
    HOSTNAME_GENERATOR,
    WORKLOAD,
    MESH_IDENTITY,
    MESH_TRUST,
    SECRET,
    GLOBAL_SECRET,
    MESH_INSIGHT,
    SERVICE_INSIGHT,
    ZONE,
    ZONE_INSIGHT,
    ZONE_OVERVIEW,
    CONFIG,
)
