"""MeshInsight and ServiceInsight: kinds that are counted when asked for and never stored.

Source: reference 2.1. For clients they look like any other kind that can only be read.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kuma.api.access import Access
from kuma.api.answers import document_answer, json_answer, list_answer
from kuma.api.dependencies import ApiDependencies
from kuma.api.errors import BadRequest, titled
from kuma.api.filters import is_kept, parse_filters
from kuma.api.kubernetes_form import is_kubernetes_asked, to_manifest
from kuma.api.operations import NAME_FILTER, PAGING, answers, query, with_parameters
from kuma.api.paging import find_next_link, parse_page
from kuma.api.reading import check_mesh
from kuma.api.resource_routes import ResourceRoutes
from kuma.api.routing import Endpoint
from kuma.kit.clock import Clock
from kuma.resources.codec import document_bytes
from kuma.resources.errors import NotFound
from kuma.resources.kinds.mesh_insight import MESH_INSIGHT
from kuma.resources.kinds.service_insight import (
    SERVICE_INSIGHT,
    ServiceDataplaneStat,
    ServiceInsightSpec,
    ServiceType,
)
from kuma.resources.meta import ResourceKey, ResourceMeta
from kuma.resources.resource import AnyResource, Resource

_TYPES = query("type", "Only services of these types, separated by commas.")


class InsightRoutes:
    def __init__(self, deps: ApiDependencies, access: Access) -> None:
        self._deps = deps
        self._access = access
        self._replica = deps.replica

    def endpoints(self) -> Iterator[Endpoint]:
        yield from self._of_meshes()
        yield from self._of_services()

    async def list_meshes(self, request: Request) -> Response:
        self._replica.check_available()
        with titled("Could not retrieve resources"):
            filters = parse_filters(request, MESH_INSIGHT)
        found = [each for each in self._deps.insights.mesh_insights() if is_kept(each, filters)]
        return await self._page(request, found)

    async def find_mesh(self, request: Request) -> Response:
        self._replica.check_available()
        name = request.path_params["name"]
        with titled("Could not retrieve a resource"):
            as_kubernetes = is_kubernetes_asked(request)
            found = self._deps.insights.mesh_insight(name)
            if found is None:
                raise NotFound(ResourceKey(MESH_INSIGHT.name, "", name))
        if as_kubernetes:
            return json_answer(to_manifest(found, namespace=""))
        return document_answer(document_bytes(found))

    async def list_services(self, request: Request) -> Response:
        self._replica.check_available()
        mesh = request.path_params.get("mesh")
        if mesh is not None:
            check_mesh(self._replica, mesh)
        types = _parse_types(request)
        with titled("Could not retrieve resources"):
            filters = parse_filters(request, SERVICE_INSIGHT)
        found = [
            each
            for each in self._deps.insights.service_insights(mesh)
            if each.spec.service_type in types and is_kept(each, filters)
        ]
        return await self._page(request, found)

    async def find_service(self, request: Request) -> Response:
        """A service that nobody offers is answered as one without proxies, as Kuma does."""
        self._replica.check_available()
        mesh, name = request.path_params["mesh"], request.path_params["name"]
        check_mesh(self._replica, mesh)
        known = self._deps.insights.service_insights(mesh)
        found: AnyResource | None = next((each for each in known if each.name == name), None)
        return document_answer(document_bytes(found or _unknown(mesh, name, self._deps.clock)))

    async def _page(self, request: Request, found: Sequence[AnyResource]) -> Response:
        with titled("Could not paginate resources"):
            page = parse_page(request)
        root_url = self._deps.settings.api_server.root_url
        following = find_next_link(request, page, total=len(found), root_url=root_url)
        return await list_answer(
            page.of(found), document_bytes, total=len(found), next_link=following
        )

    def _of_meshes(self) -> Iterator[Endpoint]:
        tag, path = MESH_INSIGHT.name, f"/{MESH_INSIGHT.path}"
        several = {**with_parameters(*PAGING, NAME_FILTER), **answers(f"{tag}List")}
        yield Endpoint("GET", path, self.list_meshes, f"List {tag}s", tag, several)
        one = f"{path}/{{name}}"
        yield Endpoint("GET", one, self.find_mesh, f"Show a {tag}", tag, answers(tag))
        yield from self._refusals(MESH_INSIGHT, one)

    def _of_services(self) -> Iterator[Endpoint]:
        tag = SERVICE_INSIGHT.name
        several = {**with_parameters(*PAGING, NAME_FILTER, _TYPES), **answers(f"{tag}List")}
        of_mesh, of_all = f"/meshes/{{mesh}}/{SERVICE_INSIGHT.path}", f"/{SERVICE_INSIGHT.path}"
        for path in (of_mesh, of_all):
            yield Endpoint("GET", path, self.list_services, f"List {tag}s", tag, several)
        one = f"{of_mesh}/{{name}}"
        yield Endpoint("GET", one, self.find_service, f"Show a {tag}", tag, answers(tag))
        yield from self._refusals(SERVICE_INSIGHT, one)

    def _refusals(self, kind: Any, path: str) -> Iterator[Endpoint]:
        refuse = ResourceRoutes(self._deps, self._access, kind).refuse_write
        for method in ("PUT", "DELETE"):
            yield Endpoint(method, path, refuse, "Refused", kind.name, {}, is_listed=False)


def _parse_types(request: Request) -> frozenset[ServiceType]:
    """All of them if none is named."""
    text = request.query_params.get("type", "")
    if not text:
        return frozenset(ServiceType)
    try:
        return frozenset(ServiceType(each.strip().lower()) for each in text.split(","))
    except ValueError:
        raise BadRequest("unsupported service type") from None


def _unknown(mesh: str, name: str, clock: Clock) -> AnyResource:
    now = clock.now()
    meta = ResourceMeta(mesh, name, version=0, creation_time=now, modification_time=now)
    spec = ServiceInsightSpec(dataplanes=ServiceDataplaneStat(), address_port=f"{name}.mesh:80")
    return Resource(SERVICE_INSIGHT, meta, spec)
