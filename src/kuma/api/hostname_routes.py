"""`_hostnames`: the names that HostnameGenerators make for a service.

Source: reference 2.2.
"""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from kuma.api.answers import json_answer
from kuma.api.dependencies import ApiDependencies
from kuma.api.errors import BadRequest, titled
from kuma.api.operations import answers
from kuma.api.reading import check_mesh, find_resource
from kuma.api.routing import Endpoint
from kuma.pipeline.hostnames import NAMED_KINDS, hostnames_for
from kuma.resources import labels as well_known
from kuma.resources.kinds.hostname_generator import HOSTNAME_GENERATOR
from kuma.resources.meta import ResourceKey

_KINDS = {kind.path: kind for kind in NAMED_KINDS}


class HostnameRoutes:
    def __init__(self, deps: ApiDependencies) -> None:
        self._replica = deps.replica
        self._zone = deps.settings.multizone.zone.name

    def endpoints(self) -> Iterator[Endpoint]:
        path = "/meshes/{mesh}/{service_type}/{name}/_hostnames"
        summary = "The names of a service by HostnameGenerators"
        operation = answers("Hostnames")
        yield Endpoint("GET", path, self.hostnames, summary, "Inspection", operation)

    async def hostnames(self, request: Request) -> Response:
        """# Differs from Kuma: a service that is of no zone has its names in this one; there the
        name of the service stands for the zone."""
        kind = _KINDS.get(request.path_params["service_type"])
        if kind is None:
            raise BadRequest(f'only "{",".join(_KINDS)}" are available for inspection')
        mesh, name = request.path_params["mesh"], request.path_params["name"]
        check_mesh(self._replica, mesh)
        with titled("could not retrieve service"):
            service = find_resource(self._replica, ResourceKey(kind.name, mesh, name))
        generators = self._replica.list(HOSTNAME_GENERATOR)
        zone = service.labels.get(well_known.ZONE) or self._zone
        items = [
            {"hostname": each, "zones": [{"name": zone}]}
            for each in hostnames_for(service, generators, self._zone)
        ]
        return json_answer({"total": len(items), "items": items})
