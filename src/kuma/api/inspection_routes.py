"""What the control plane makes of a dataplane as a whole: `_rules`, `_config`, attached policies, Envoy's admin.

The answers come from the `Inspector`; here are the parameters, access and errors around them.
Source: reference 2.2.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kuma.api.access import Access, Action
from kuma.api.answers import JSON, json_answer, list_answer, text_answer, to_bytes
from kuma.api.authentication import caller_of
from kuma.api.dependencies import ApiDependencies
from kuma.api.errors import BadRequest, NothingHere, UpstreamFailed, titled
from kuma.api.operations import NAME_FILTER, PAGING, answers, query, with_parameters
from kuma.api.paging import find_next_link, parse_page
from kuma.api.reading import check_mesh, find_dataplane, find_resource
from kuma.api.routing import Endpoint
from kuma.resources.errors import Unavailable
from kuma.resources.kind import Kind
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource

DATAPLANE_PATH = "/meshes/{mesh}/dataplanes/{name}"
_TAG = "Inspection"
_BOOLEANS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}
_ADMIN_ACTIONS = {
    "xds": Action.CONFIG_DUMP,
    "stats": Action.STATS,
    "clusters": Action.CLUSTERS,
}


class InspectionRoutes:
    def __init__(self, deps: ApiDependencies, access: Access) -> None:
        self._deps = deps
        self._access = access
        self._replica = deps.replica
        self._inspector = deps.inspector

    def endpoints(self) -> Iterator[Endpoint]:
        """The one with a variable last part after all others of the same length."""
        shadow = query("shadow", "With policies that have the effect shadow.", {"type": "boolean"})
        include = query("include", "`diff`: also what the shadow policies would change.")
        config = {**with_parameters(shadow, include), **answers("ProxyConfig")}
        yield self._get("_rules", self.rules, "The policies in force, merged", answers("Rules"))
        yield self._get("_config", self.config, "The configuration of the proxy", config)
        yield self._get("policies", self.policies, "The policies attached", {}, is_listed=False)
        yield self._get("rules", self.attached_rules, "The rules attached", {}, is_listed=False)
        for kind in self._deps.registry.policies():
            yield from self._selected(kind)
        yield from self._selected(MESH_SERVICE, older="_dataplanes")
        eds = query("include_eds", "xds: with endpoints.", {"type": "boolean"})
        form = query("format", "stats, clusters.", {"type": "string", "enum": ["text", "json"]})
        admin = {**with_parameters(eds, form), **answers("EnvoyAdmin")}
        yield self._get("{type}", self.envoy_admin, "What Envoy says: xds, stats, clusters", admin)

    async def rules(self, request: Request) -> Response:
        mesh, name = find_dataplane(self._replica, request, title="Could not retrieve Dataplane")
        return json_answer(self._inspector.rules(mesh, name))

    async def config(self, request: Request) -> Response:
        check_mesh(self._replica, request.path_params["mesh"])
        shadow = _parse_bool(request, "shadow")
        includes = set(filter(None, request.query_params.get("include", "").split(",")))
        if includes - {"diff"}:
            raise BadRequest("unsupported value for query parameter 'include'")
        mesh, name = find_dataplane(
            self._replica, request, title="Failed to fetch dataplane insight"
        )
        with titled("Failed to fetch dataplane insight"):
            found = self._inspector.config(
                mesh, name, shadow=shadow, include_diff="diff" in includes
            )
        return json_answer(found)

    async def policies(self, request: Request) -> Response:
        mesh, name = find_dataplane(self._replica, request, title="Could not get MatchedPolicies")
        return json_answer(self._inspector.policies(mesh, name))

    async def attached_rules(self, request: Request) -> Response:
        mesh, name = find_dataplane(self._replica, request, title="Could not get MatchedPolicies")
        return json_answer(self._inspector.attached_rules(mesh, name))

    async def envoy_admin(self, request: Request) -> Response:
        what = request.path_params["type"]
        if what not in _ADMIN_ACTIONS:
            raise NothingHere(f"invalid admin type: {what}")
        self._access.check(caller_of(request), _ADMIN_ACTIONS[what])
        mesh, name = find_dataplane(
            self._replica, request, title="Could not get dataplane resource"
        )
        form = "json" if request.query_params.get("format") == "json" else "text"
        eds = _BOOLEANS.get(request.query_params.get("include_eds", "").lower(), False)
        with titled("Could not execute admin operation"):
            try:
                found = await self._inspector.envoy_admin(
                    mesh, name, what, format=form, include_eds=eds
                )
            except Unavailable as error:
                raise UpstreamFailed(error.reason) from error
        is_json = what == "xds" or form == "json"
        return text_answer(found, media_type=JSON if is_json else "text/plain")

    def _selected(self, kind: Kind[Any], older: str = "dataplanes") -> Iterator[Endpoint]:
        """The dataplanes that a policy or a MeshService selects, in the present form and in the older
        one, which only policies have."""

        async def by_page(request: Request) -> Response:
            with titled("Could not retrieve policy"):
                page = parse_page(request)
            part = request.query_params.get("name", "")
            found = [each for each in self._find_selected(request, kind) if part in each.name]
            root_url = self._deps.settings.api_server.root_url
            following = find_next_link(request, page, total=len(found), root_url=root_url)
            return await list_answer(
                page.of(found),
                _meta_bytes,
                total=len(found),
                next_link=following,
                says_last=False,
            )

        async def all_at_once(request: Request) -> Response:
            found = self._find_selected(request, kind, include_shadow=False)
            items = [_attachment(each) for each in found]
            return json_answer({"total": len(items), "items": items})

        path = f"/meshes/{{mesh}}/{kind.path}/{{name}}"
        operation = {**with_parameters(*PAGING, NAME_FILTER), **answers("MetaList")}
        summary = f"List the dataplanes that a {kind.name} selects"
        new, old = f"{path}/_resources/dataplanes", f"{path}/{older}"
        by_name = all_at_once if kind.is_target_ref_policy else by_page
        yield Endpoint("GET", new, by_page, summary, kind.name, operation)
        yield Endpoint("GET", old, by_name, summary, kind.name, is_listed=False)

    def _find_selected(
        self, request: Request, kind: Kind[Any], *, include_shadow: bool = True
    ) -> Sequence[AnyResource]:
        key = ResourceKey(kind.name, request.path_params["mesh"], request.path_params["name"])
        check_mesh(self._replica, key.mesh)
        with titled("Could not retrieve policy"):
            found = find_resource(self._replica, key)
        return self._inspector.selected_dataplanes(found, include_shadow=include_shadow)

    def _get(
        self, path: str, answer: Any, summary: str, operation: Any, *, is_listed: bool = True
    ) -> Endpoint:
        place = f"{DATAPLANE_PATH}/{path}"
        return Endpoint("GET", place, answer, summary, _TAG, operation, is_listed)


def _parse_bool(request: Request, parameter: str) -> bool:
    text = request.query_params.get(parameter, "")
    if not text:
        return False
    if text.lower() not in _BOOLEANS:
        raise BadRequest(f"unsupported value for query parameter '{parameter}'")
    return _BOOLEANS[text.lower()]


def _meta_bytes(resource: AnyResource) -> bytes:
    return to_bytes(
        {
            "type": resource.kind.name,
            "mesh": resource.mesh,
            "name": resource.name,
            "labels": dict(sorted(resource.labels.items())),
        }
    )


def _attachment(dataplane: AnyResource) -> dict[str, Any]:
    return {
        "kind": "SidecarDataplane",
        "dataplane": {"mesh": dataplane.mesh, "name": dataplane.name},
        "attachments": [{"type": "dataplane"}],
    }
