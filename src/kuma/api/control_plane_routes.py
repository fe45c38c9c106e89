"""What the control plane says of itself: index, caller, settings, kinds, counts, and KRIs.

Source: reference 2.2.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kuma.api.access import Access, Action
from kuma.api.answers import document_answer, json_answer, to_bytes
from kuma.api.authentication import caller_of
from kuma.api.dependencies import ApiDependencies
from kuma.api.errors import BadRequest, titled
from kuma.api.kubernetes_form import is_kubernetes_asked, to_manifest
from kuma.api.operations import FORMAT, answers, with_parameters
from kuma.api.routing import Endpoint
from kuma.resources.codec import document_bytes
from kuma.resources.errors import NotFound
from kuma.resources.kind import Kind, Sync
from kuma.resources.kri import InvalidKri, Kri, find_by_kri, parse_kri
from kuma.resources.meta import ResourceKey
from kuma.resources.proto_json import format_timestamp
from kuma.resources.resource import AnyResource

_TAG = "Control plane"


class ControlPlaneRoutes:
    def __init__(self, deps: ApiDependencies, access: Access) -> None:
        self._deps = deps
        self._access = access
        self._replica = deps.replica
        self._read_only = deps.settings.api_server.read_only
        self._kinds = sorted(
            (kind for kind in deps.registry if kind.path), key=lambda kind: kind.name
        )

    def endpoints(self) -> Iterator[Endpoint]:
        yield self._get("/", self.index, "Who answers", "Index")
        yield self._get("/who-am-i", self.who_am_i, "Who asks", "WhoAmI")
        yield self._get("/config", self.config, "The settings in force, secrets masked", "Settings")
        yield self._get("/policies", self.policies, "The kinds of policies", "Policies")
        yield self._get("/_resources", self.resource_types, "All kinds", "ResourceTypes")
        yield self._get("/global-insight", self.global_insight, "Counts", "GlobalInsight")
        yield self._get("/global-insights", self.global_insights, "Counts, older", "GlobalInsight")
        found = {**with_parameters(FORMAT), **answers("AnyResource", "Manifest")}
        yield Endpoint("GET", "/_kri/{kri}", self.by_kri, "Show what a KRI names", _TAG, found)

    async def index(self, request: Request) -> Response:
        """Needs no credentials."""
        facts, gui = self._deps.facts, self._deps.settings.api_server.gui
        return json_answer(
            {
                "clusterId": facts.cluster_id,
                "gui": (gui.root_url or gui.base_path) if gui.enabled else "",
                "hostname": facts.hostname,
                "instanceId": facts.instance_id,
                "product": facts.product,
                "version": facts.version,
            }
        )

    async def who_am_i(self, request: Request) -> Response:
        caller = caller_of(request)
        return json_answer({"name": caller.name, "groups": list(caller.groups)})

    async def config(self, request: Request) -> Response:
        self._access.check(caller_of(request), Action.CONTROL_PLANE_METADATA)
        return document_answer(self._masked_settings)

    async def policies(self, request: Request) -> Response:
        described = [self._describe_policy(kind) for kind in self._kinds if kind.policy]
        return json_answer({"policies": described})

    async def resource_types(self, request: Request) -> Response:
        return json_answer({"resources": [self._describe_kind(kind) for kind in self._kinds]})

    async def global_insight(self, request: Request) -> Response:
        self._replica.check_available()
        return json_answer(self._deps.insights.global_insight())

    async def global_insights(self, request: Request) -> Response:
        """The older form: how many there are of each global kind."""
        self._replica.check_available()
        counted = [kind for kind in self._kinds if _is_counted(kind)]
        totals = {kind.name: {"total": self._replica.count(kind.name)} for kind in counted}
        created = format_timestamp(self._deps.clock.now())
        return json_answer({"type": "GlobalInsights", "creationTime": created, "resources": totals})

    async def by_kri(self, request: Request) -> Response:
        self._replica.check_available()
        try:
            kri = parse_kri(request.path_params["kri"])
            found = self._find(request, kri)
        except InvalidKri as error:
            raise BadRequest(str(error)) from error
        with titled("Could not retrieve a resource"):
            if found is None:
                raise NotFound(ResourceKey("resource", kri.mesh, kri.name))
            if is_kubernetes_asked(request):
                return json_answer(to_manifest(found, namespace=kri.namespace or "kuma-system"))
        return document_answer(document_bytes(found))

    @cached_property
    def _masked_settings(self) -> bytes:
        """Settings do not change, and masking them takes 10 ms."""
        return to_bytes(self._deps.settings.masked())

    def _find(self, request: Request, kri: Kri) -> AnyResource | None:
        kind = self._deps.registry.find_by_short(kri.short)
        if kind is not None and kind.admin_only:
            self._access.check(caller_of(request), Action.ADMIN_RESOURCES, of=f'"{kind.name}"')
        return find_by_kri(kri, self._deps.registry, self._replica)

    def _describe_policy(self, kind: Kind[Any]) -> Mapping[str, Any]:
        traits = kind.policy
        assert traits is not None
        return {
            "name": kind.name,
            "readOnly": self._read_only or kind.read_only,
            "path": kind.path,
            "singularDisplayName": _singular(kind),
            "pluralDisplayName": kind.display_plural or kind.plural,
            "isExperimental": False,
            "isTargetRefBased": True,
            "isInbound": traits.has_from,
            "isOutbound": traits.has_to,
        }

    def _describe_kind(self, kind: Kind[Any]) -> Mapping[str, Any]:
        described: dict[str, Any] = {
            "includeInFederation": bool(kind.sync & Sync.GLOBAL_TO_ZONES) and not kind.read_only,
            "name": kind.name,
            "path": kind.path,
            "pluralDisplayName": kind.display_plural or kind.plural,
            "readOnly": self._read_only or kind.read_only,
            "scope": kind.scope.value,
            "shortName": kind.short,
            "singularDisplayName": _singular(kind),
        }
        if kind.policy is not None:
            described["policy"] = {
                "hasFromTargetRef": kind.policy.has_from,
                "hasRulesTargetRef": kind.policy.has_rules,
                "hasToTargetRef": kind.policy.has_to,
                "isFromAsRules": kind.policy.from_as_rules,
                "isTargetRef": True,
            }
        return described

    def _get(self, path: str, answer: Any, summary: str, schema: str) -> Endpoint:
        return Endpoint("GET", path, answer, summary, _TAG, answers(schema))


def _singular(kind: Kind[Any]) -> str:
    """The kind's name, with the spaces that its plural has: `Mesh Retries`, so `Mesh Retry`."""
    spaced, rest = "", kind.name
    for word in (kind.display_plural or kind.plural).split(" ")[:-1]:
        spaced += f"{word} "
        rest = rest.removeprefix(word)
    return spaced + rest


def _is_counted(kind: Kind[Any]) -> bool:
    return not kind.is_mesh_scoped and not kind.name.endswith("Insight")
