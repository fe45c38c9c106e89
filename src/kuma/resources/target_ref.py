"""Which proxies, destinations or clients a policy speaks of: TargetRef, BackendRef and their rules.

A policy's top-level `targetRef` selects proxies (absent: the whole mesh), those in `to` destinations,
those in `from` clients; a BackendRef says where a route sends requests. `validate_target_ref` knows
which fields each kind may carry; which kinds are allowed where is the policy's own decision.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pydantic import Field

from kuma.resources.spec import NonNegative, SpecModel, StringMap
from kuma.resources.violation import Violation


class TargetRefKind(StrEnum):
    """In order of rank: a later kind is more specific, so its policies win."""

    MESH = "Mesh"
    DATAPLANE = "Dataplane"
    MESH_SUBSET = "MeshSubset"
    MESH_GATEWAY = "MeshGateway"
    MESH_SERVICE = "MeshService"
    MESH_EXTERNAL_SERVICE = "MeshExternalService"
    MESH_MULTI_ZONE_SERVICE = "MeshMultiZoneService"
    MESH_SERVICE_SUBSET = "MeshServiceSubset"
    MESH_HTTP_ROUTE = "MeshHTTPRoute"

    @property
    def rank(self) -> int:
        return _RANKS[self]


_RANKS = {kind: rank for rank, kind in enumerate(TargetRefKind, start=1)}


class ProxyType(StrEnum):
    SIDECAR = "Sidecar"
    GATEWAY = "Gateway"


class TargetRef(SpecModel):
    kind: TargetRefKind
    """What the reference speaks of. Which kinds are allowed depends on the policy and the place."""
    name: str | None = None
    """Name of the resource or service, for the kinds that have one."""
    tags: StringMap | None = None
    """Only proxies, or endpoints, that carry all of these tags."""
    mesh: str | None = None
    """Not used; the mesh is that of the policy."""
    proxy_types: tuple[ProxyType, ...] | None = None
    """At the top of a policy: only sidecars, or only gateways. Left out: both."""
    namespace: str | None = None
    """Namespace of the resource, on Kubernetes."""
    labels: StringMap | None = None
    """Selects resources by their labels, instead of by name."""
    section_name: str | None = None
    """One section of the resource: an inbound of a Dataplane, by its name or port."""


class BackendRef(TargetRef):
    """`weight` is relative to the other backends of the same rule."""

    weight: int = Field(default=1, ge=0, strict=True)
    """The backend's share, relative to the other backends of the rule. 0: nothing."""
    port: NonNegative | None = None
    """Port of the referenced service, for kinds that have several."""

    @property
    def references_real_object(self) -> bool:
        """Whether it names a resource rather than the tag `kuma.io/service`."""
        if self.kind is TargetRefKind.MESH_SERVICE:
            return bool(self.section_name) or self.port is not None
        return self.kind is not TargetRefKind.MESH_SERVICE_SUBSET


WHOLE_MESH = TargetRef(kind=TargetRefKind.MESH)
"""What an absent top-level targetRef means."""


def includes_gateways(ref: TargetRef) -> bool:
    """Whether a top-level target may select gateways."""
    if ref.kind in {TargetRefKind.MESH, TargetRefKind.MESH_SUBSET}:
        return not ref.proxy_types or ProxyType.GATEWAY in ref.proxy_types
    return ref.kind in {TargetRefKind.MESH_GATEWAY, TargetRefKind.MESH_HTTP_ROUTE}


_NAME = re.compile(r"[0-9a-z.\-_]*")
_TAG_NAME = re.compile(r"[a-zA-Z0-9.\-_:/]*")
_TAG_VALUE = re.compile(r"[a-zA-Z0-9.\-_:]*")
_SELECTOR_VALUE = re.compile(r"[a-zA-Z0-9.\-_:/]*|\*")

_TAG_VALUE_RULE = "tag value must consist of alphanumeric characters, dots, dashes and underscores"
_SELECTOR_VALUE_RULE = (
    "tag value must consist of alphanumeric characters, dots, dashes, slashes and underscores"
    ' or be "*"'
)


@dataclass(frozen=True)
class _Rules:
    """What a kind of target may carry. Fields in neither tuple are refused."""

    allowed: frozenset[str]
    name_or_labels: bool = False
    name_required: bool = False
    checks_name: bool = True
    labels_conflict: str = "either labels or name and namespace must be specified"
    selector_tags: bool = False


_OPTIONAL_FIELDS = (
    "mesh",
    "tags",
    "labels",
    "namespace",
    "section_name",
    "proxy_types",
)
_OUTSIDE = {"section_name": "sectionName", "proxy_types": "proxyTypes"}

_BY_KIND = {
    TargetRefKind.MESH: _Rules(frozenset({"proxy_types"}), checks_name=False),
    TargetRefKind.DATAPLANE: _Rules(
        frozenset({"name", "namespace", "labels", "section_name"}), checks_name=False
    ),
    TargetRefKind.MESH_SUBSET: _Rules(frozenset({"tags", "proxy_types"}), checks_name=False),
    TargetRefKind.MESH_SERVICE: _Rules(
        frozenset({"name", "namespace", "labels", "section_name"}), name_or_labels=True
    ),
    # Differs from Kuma, which takes anything beside this kind, and ignores what it does not know.
    TargetRefKind.MESH_MULTI_ZONE_SERVICE: _Rules(
        frozenset({"name", "namespace", "labels", "section_name"}),
        name_or_labels=True,
        checks_name=False,
        labels_conflict="must not be set beside name or namespace with kind MeshMultiZoneService",
    ),
    TargetRefKind.MESH_HTTP_ROUTE: _Rules(
        frozenset({"name", "namespace", "labels"}), name_or_labels=True
    ),
    TargetRefKind.MESH_EXTERNAL_SERVICE: _Rules(
        frozenset({"name", "namespace", "labels"}),
        name_or_labels=True,
        labels_conflict="either labels or name must be specified",
    ),
    TargetRefKind.MESH_SERVICE_SUBSET: _Rules(
        frozenset({"name", "tags"}), name_required=True, selector_tags=True
    ),
    TargetRefKind.MESH_GATEWAY: _Rules(
        frozenset({"name", "tags"}), name_required=True, selector_tags=True
    ),
}


def validate_target_ref(
    ref: TargetRef,
    *,
    kinds: Iterable[TargetRefKind],
    selects_proxies: bool = False,
    is_inbound_policy: bool = False,
    gateway_tags_allowed: bool = False,
    also_valid_names: Iterable[str] = (),
) -> tuple[Violation, ...]:
    """The violations of a target ref, with paths below it.

    `kinds` are those that this place allows. `selects_proxies`: it is the one at the top of a policy.
    `is_inbound_policy`: the policy has `from` or `rules`, so that a Dataplane's section may be named.
    """
    if ref.kind not in frozenset(kinds):
        return (Violation("kind", f"value '{ref.kind}' is not supported"),)
    rules = _BY_KIND[ref.kind]
    return (
        *_validate_name(ref, rules, frozenset(also_valid_names)),
        *_refuse_fields(ref, rules),
        *_validate_tags(ref, rules),
        *_refuse_gateway_tags(ref, gateway_tags_allowed),
        *_validate_proxy_types(ref, rules, selects_proxies),
        *_validate_labels(ref, rules),
        *_refuse_section(ref, is_inbound_policy),
    )


def _validate_name(
    ref: TargetRef, rules: _Rules, also_valid: frozenset[str]
) -> tuple[Violation, ...]:
    name = ref.name or ""
    if "name" not in rules.allowed:
        if not name:
            return ()
        text = (
            f"using name with kind {ref.kind} is not yet supported"
            if ref.kind is TargetRefKind.MESH
            else f"must not be set with kind {ref.kind}"
        )
        return (Violation("name", text),)
    if rules.name_required and not name:
        return (Violation("name", f"must be set when kind is {ref.kind}"),)
    if rules.checks_name and name not in also_valid and not _NAME.fullmatch(name):
        return (
            Violation(
                "name",
                "invalid characters: must consist of lower case alphanumeric characters, "
                "'-', '.' and '_'.",
            ),
        )
    return ()


def _refuse_fields(ref: TargetRef, rules: _Rules) -> list[Violation]:
    return [
        Violation(_OUTSIDE.get(name, name), f"must not be set with kind {ref.kind}")
        for name in _OPTIONAL_FIELDS
        if name not in rules.allowed and getattr(ref, name)
    ]


def _validate_tags(ref: TargetRef, rules: _Rules) -> list[Violation]:
    if "tags" not in rules.allowed:
        return []
    found: list[Violation] = []
    for key, value in ref.tags or ():
        if not key:
            found.append(Violation("tags", "tag name must be non-empty"))
        if not _TAG_NAME.fullmatch(key):
            found.append(
                Violation(
                    f'tags["{key}"]',
                    "tag name must consist of alphanumeric characters, dots, dashes, slashes "
                    "and underscores",
                )
            )
        if not value:
            found.append(Violation(f'tags["{key}"]', "tag value must be non-empty"))
        pattern = _SELECTOR_VALUE if rules.selector_tags else _TAG_VALUE
        if not pattern.fullmatch(value):
            text = _SELECTOR_VALUE_RULE if rules.selector_tags else _TAG_VALUE_RULE
            found.append(Violation(f'tags["{key}"]', text))
    return found


def _refuse_gateway_tags(ref: TargetRef, allowed: bool) -> tuple[Violation, ...]:
    if ref.kind is TargetRefKind.MESH_GATEWAY and ref.tags and not allowed:
        return (Violation("tags", f"must not be set with kind {ref.kind}"),)
    return ()


def _validate_proxy_types(
    ref: TargetRef, rules: _Rules, selects_proxies: bool
) -> tuple[Violation, ...]:
    if "proxy_types" not in rules.allowed or ref.proxy_types is None:
        return ()
    if not ref.proxy_types:
        return (Violation("proxyTypes", "must be undefined or have at least one element"),)
    # Differs from Kuma, which takes them everywhere, and there ignores them.
    text = "must not be set here: only the top-level targetRef tells sidecars from gateways"
    return () if selects_proxies else (Violation("proxyTypes", text),)


def _validate_labels(ref: TargetRef, rules: _Rules) -> tuple[Violation, ...]:
    if "labels" not in rules.allowed:
        return ()
    if rules.name_or_labels and not ref.labels and not ref.name:
        return (Violation("", f"name or labels must be set when kind is {ref.kind}"),)
    if ref.labels and (ref.name or ref.namespace):
        return (Violation("labels", rules.labels_conflict),)
    return ()


def _refuse_section(ref: TargetRef, is_inbound_policy: bool) -> tuple[Violation, ...]:
    if ref.kind is TargetRefKind.DATAPLANE and ref.section_name and not is_inbound_policy:
        return (Violation("sectionName", "can only be used with inbound policies"),)
    return ()
