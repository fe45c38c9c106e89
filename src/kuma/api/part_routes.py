"""What policies say of the parts of a dataplane: `_layout`, `_policies`, `_inbounds`, `_outbounds`.

Of meshes whose `meshServices.mode` is Exclusive only, whose parts are all known by KRI.
Source: reference 2.2.
"""

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import Response

from kuma.api.answers import json_answer
from kuma.api.dependencies import ApiDependencies
from kuma.api.errors import BadRequest, titled
from kuma.api.inspection_routes import DATAPLANE_PATH
from kuma.api.operations import answers
from kuma.api.reading import check_mesh, find_dataplane, find_resource
from kuma.api.routing import Answer, Endpoint
from kuma.resources.errors import NotFound
from kuma.resources.kinds.dataplane import DATAPLANE
from kuma.resources.kinds.mesh import MESH, MeshSpec
from kuma.resources.kri import InvalidKri, Kri, kind_of, parse_kri
from kuma.resources.meta import ResourceKey

_TAG = "Inspection"


class PartRoutes:
    def __init__(self, deps: ApiDependencies) -> None:
        self._replica = deps.replica
        self._registry = deps.registry
        self._inspector = deps.inspector

    def endpoints(self) -> Iterator[Endpoint]:
        inbound, outbound = "_inbounds/{inbound_kri}", "_outbounds/{outbound_kri}"
        route = f"{outbound}/_routes/{{route_kri}}"
        yield _get("_layout", self.layout, "Inbounds and outbounds, with their names", "Layout")
        yield _get("_policies", self.policies, "Policies on the proxy", "ProxyPolicies")
        yield _get(
            f"{inbound}/_policies", self.inbound, "Policies on an inbound", "InboundPolicies"
        )
        yield _get(
            f"{outbound}/_policies", self.outbound, "Policies on an outbound", "OutboundPolicies"
        )
        yield _get(f"{outbound}/_routes", self.routes, "Routes of an outbound", "Routes")
        yield _get(f"{route}/_policies", self.route, "Policies on a route", "OutboundPolicies")

    async def layout(self, request: Request) -> Response:
        self._check_mode(request, "_layout")
        mesh, name = find_dataplane(self._replica, request, title="Failed to retrieve Dataplane")
        return json_answer(self._inspector.layout(mesh, name))

    async def policies(self, request: Request) -> Response:
        return json_answer(self._inspector.proxy_policies(*self._checked(request)))

    async def inbound(self, request: Request) -> Response:
        """# Differs from Kuma: 404 for an inbound that is not there, in place of 500."""
        mesh, name = self._checked(request)
        kri = self._kri(request, "inbound_kri")
        found = self._inspector.inbound_policies(mesh, name, kri)
        with titled("Could not retrieve inbound"):
            if found is None:
                raise NotFound(ResourceKey(DATAPLANE.name, mesh, name))
        return json_answer(found)

    async def outbound(self, request: Request) -> Response:
        mesh, name = self._checked(request)
        kri = self._kri(request, "outbound_kri")
        return json_answer(self._inspector.outbound_policies(mesh, name, kri))

    async def routes(self, request: Request) -> Response:
        mesh, name = self._checked(request)
        kri = self._kri(request, "outbound_kri")
        return json_answer(self._inspector.outbound_routes(mesh, name, kri))

    async def route(self, request: Request) -> Response:
        mesh, name = self._checked(request)
        outbound, route = self._kri(request, "outbound_kri"), self._kri(request, "route_kri")
        return json_answer(self._inspector.outbound_policies(mesh, name, outbound, route))

    def _checked(self, request: Request) -> tuple[str, str]:
        found = find_dataplane(self._replica, request, title="Could not retrieve Dataplane")
        self._check_mode(request, "_policies")
        return found

    def _kri(self, request: Request, parameter: str) -> Kri:
        try:
            found = parse_kri(request.path_params[parameter])
            kind_of(found, self._registry)
        except InvalidKri as error:
            raise BadRequest(str(error)) from error
        return found

    def _check_mode(self, request: Request, called: str) -> None:
        mesh = request.path_params["mesh"]
        check_mesh(self._replica, mesh)
        spec = find_resource(self._replica, ResourceKey(MESH.name, "", mesh)).spec
        if not (isinstance(spec, MeshSpec) and spec.has_only_mesh_services):
            raise BadRequest(f"can't use {called} endpoint without meshService enabled")


def _get(path: str, answer: Answer, summary: str, schema: str) -> Endpoint:
    return Endpoint("GET", f"{DATAPLANE_PATH}/{path}", answer, summary, _TAG, answers(schema))
