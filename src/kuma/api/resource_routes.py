"""Reading and writing resources: the same routes for every kind, derived from its declaration.

    /meshes/{mesh}/{path}[/{name}]   of one mesh       /{path}            of all meshes
    /{path}[/{name}]                 global kinds      .../_overview      with the insight

Reads are answered from the replica, writes go through the writer. Source: reference 2.1.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kuma.api.access import Access, Action
from kuma.api.answers import document_answer, json_answer, list_answer
from kuma.api.authentication import caller_of
from kuma.api.body import parse_json_object, read_json_body
from kuma.api.dependencies import ApiDependencies
from kuma.api.errors import BadRequest, Failed, MethodNotAllowed, titled
from kuma.api.filters import is_kept, parse_filters
from kuma.api.kubernetes_form import is_kubernetes_asked, to_manifest
from kuma.api.operations import (
    FORMAT,
    NAMESPACE,
    Operation,
    answers,
    asks,
    list_parameters,
    with_parameters,
)
from kuma.api.overviews import OverviewKind, find_overview
from kuma.api.paging import find_next_link, parse_page
from kuma.api.reading import check_mesh, find_resource
from kuma.api.routing import Endpoint
from kuma.kit import aside
from kuma.resources.codec import document_bytes, read_document
from kuma.resources.errors import MeshNotFound, NotFound
from kuma.resources.kind import Kind
from kuma.resources.kinds.mesh import MESH
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource

ToBytes = Callable[[AnyResource], bytes]


class ResourceRoutes:
    """The routes of one kind that is stored."""

    def __init__(self, deps: ApiDependencies, access: Access, kind: Kind[Any]) -> None:
        self._deps = deps
        self._access = access
        self._kind = kind
        self._replica = deps.replica

    def endpoints(self) -> Iterator[Endpoint]:
        """Fixed names before `{name}`, which would match them too."""
        kind, overview = self._kind, find_overview(self._kind)
        for path in (kind.path, *kind.aliases):
            listed = path == kind.path
            if overview is not None:
                yield from self._overviews(overview, path, listed=listed)
            for place in self._places(path):
                yield self._get(place, self.list, f"List {kind.plural}", self._of_list(), listed)
            one = f"{self._places(path)[0]}/{{name}}"
            yield self._get(one, self.find, f"Show a {kind.name}", self._of_one(), listed)
            yield from self._writes(one, listed=listed)

    async def list(self, request: Request) -> Response:
        return await self._list(request, document_bytes)

    async def find(self, request: Request) -> Response:
        found, as_kubernetes = self._find(request)
        if as_kubernetes:
            return json_answer(to_manifest(found, namespace=self._namespace(request)))
        return document_answer(document_bytes(found))

    async def put(self, request: Request) -> Response:
        """Create or replace."""
        key = self._key(request)
        self._check_access(request)
        with titled("Could not process a resource"):
            body = await read_json_body(request)
            resource = await aside.work(len(body), lambda: self._read(body, key))
            try:
                put = await self._deps.writer.put(resource, size=len(body))
            except MeshNotFound as error:
                missing = NotFound(ResourceKey(MESH.name, "", error.mesh))
                raise Failed("Failed to retrieve Mesh", missing) from error
        content = {"warnings": list(put.warnings)} if put.warnings else {}
        return json_answer(content, status=201 if put.created else 200)

    def _read(self, body: bytes, key: ResourceKey) -> AnyResource:
        """What the document says; the writer asks the rules of its kind."""
        raw = parse_json_object(body, called=f"{self._kind.name} object")
        return read_document(
            self._deps.registry, raw, kind=self._kind, mesh=key.mesh or None, name=key.name
        )

    async def delete(self, request: Request) -> Response:
        key = self._key(request)
        if self._kind.is_mesh_scoped:
            check_mesh(self._replica, key.mesh)
        self._check_access(request)
        with titled("Could not delete a resource"):
            await self._deps.writer.delete(key)
        return json_answer({})

    async def refuse_write(self, request: Request) -> Response:
        if self._kind.read_only:
            reason = f"{self._kind.name} is written by the control plane itself"
        else:
            reason = "the setting apiServer.readOnly is on"
        raise MethodNotAllowed(f"It can only be read: {reason}.", allowed=("GET", "HEAD"))

    async def _list(self, request: Request, to_bytes: ToBytes) -> Response:
        self._replica.check_available()
        with titled("Could not retrieve resources"):
            page, filters = parse_page(request), parse_filters(request, self._kind)
        mesh = request.path_params.get("mesh")
        if mesh is not None:
            check_mesh(self._replica, mesh)
        self._check_access(request)
        found: Sequence[AnyResource] = self._replica.list(self._kind, mesh)
        if filters:
            found = [resource for resource in found if is_kept(resource, filters)]
        following = find_next_link(
            request, page, total=len(found), root_url=self._deps.settings.api_server.root_url
        )
        return await list_answer(page.of(found), to_bytes, total=len(found), next_link=following)

    def _find(self, request: Request) -> tuple[AnyResource, bool]:
        """The resource, and whether it is asked for as a Kubernetes manifest."""
        self._replica.check_available()
        key = self._key(request)
        if self._kind.is_mesh_scoped:
            check_mesh(self._replica, key.mesh)
        self._check_access(request)
        with titled("Could not retrieve a resource"):
            as_kubernetes = is_kubernetes_asked(request)
            return find_resource(self._replica, key), as_kubernetes

    def _overviews(self, overview: OverviewKind, path: str, *, listed: bool) -> Iterator[Endpoint]:
        def to_bytes(subject: AnyResource) -> bytes:
            insight = overview.find_insight(self._replica, subject)
            return overview.document(subject, None if insight is None else insight.spec)

        async def list_all(request: Request) -> Response:
            return await self._list(request, to_bytes)

        async def find_one(request: Request) -> Response:
            """One overview alone has an insight even if nothing is known."""
            subject, as_kubernetes = self._find(request)
            if as_kubernetes:
                raise BadRequest("an overview has no Kubernetes form")
            insight = overview.find_insight(self._replica, subject)
            spec = overview.insight.spec() if insight is None else insight.spec
            return document_answer(overview.document(subject, spec))

        several, one = f"List {overview.overview.plural}", f"Show a {overview.overview.name}"
        of_list, of_one = self._of_list(overview.overview), answers(overview.overview.name)
        for place in self._places(path):
            yield self._get(f"{place}/_overview", list_all, several, of_list, listed)
        for place in self._places(overview.legacy):
            yield self._get(place, list_all, several, of_list, False)
        first, legacy = self._places(path)[0], self._places(overview.legacy)[0]
        yield self._get(f"{first}/{{name}}/_overview", find_one, one, of_one, listed)
        yield self._get(f"{legacy}/{{name}}", find_one, one, of_one, False)

    def _writes(self, path: str, *, listed: bool) -> Iterator[Endpoint]:
        kind = self._kind
        refused = kind.read_only or self._deps.settings.api_server.read_only
        put, delete = (self.refuse_write,) * 2 if refused else (self.put, self.delete)
        shown = listed and not refused
        written = {**asks(kind.name), **answers("Written", statuses=(200, 201))}
        summary = f"Create or replace a {kind.name}"
        yield Endpoint("PUT", path, put, summary, kind.name, written, shown)
        summary = f"Delete a {kind.name}"
        yield Endpoint("DELETE", path, delete, summary, kind.name, answers("Deleted"), shown)

    def _get(
        self, path: str, answer: Any, summary: str, operation: Operation, listed: bool
    ) -> Endpoint:
        return Endpoint("GET", path, answer, summary, self._kind.name, operation, listed)

    def _of_list(self, kind: Kind[Any] | None = None) -> Operation:
        parameters = with_parameters(*list_parameters(self._kind))
        return {**parameters, **answers(f"{(kind or self._kind).name}List")}

    def _of_one(self) -> Operation:
        return {**with_parameters(FORMAT, NAMESPACE), **answers(self._kind.name, "Manifest")}

    def _places(self, path: str) -> tuple[str, ...]:
        """Where lists are: of one mesh first, then of all."""
        if self._kind.is_mesh_scoped:
            return (f"/meshes/{{mesh}}/{path}", f"/{path}")
        return (f"/{path}",)

    def _key(self, request: Request) -> ResourceKey:
        parameters = request.path_params
        return ResourceKey(self._kind.name, parameters.get("mesh", ""), parameters["name"])

    def _check_access(self, request: Request) -> None:
        if self._kind.admin_only:
            self._access.check(
                caller_of(request), Action.ADMIN_RESOURCES, of=f'"{self._kind.name}"'
            )

    def _namespace(self, request: Request) -> str:
        return request.query_params.get("namespace") or "kuma-system"
