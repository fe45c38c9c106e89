"""Which resources of a list are asked for: by name, labels, tags, gateway mode.

Source: reference 2.1.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from starlette.requests import Request

from kuma.resources.errors import InvalidResource
from kuma.resources.kind import Kind
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.kinds.external_service import EXTERNAL_SERVICE, ExternalServiceSpec
from kuma.resources.resource import AnyResource
from kuma.resources.violation import Violation

Filter = Callable[[AnyResource], bool]

_LABEL_PREFIX = "filter[labels."
_GATEWAY_MODES = frozenset({"true", "false", "builtin", "delegated"})


def parse_filters(request: Request, kind: Kind[Any]) -> tuple[Filter, ...]:
    """Those that all must hold. Raises InvalidResource with every parameter that is wrong."""
    violations: list[Violation] = []
    found = [*_by_name(request), *_by_labels(request, violations)]
    if kind is DATAPLANE:
        found += [*_by_gateway(request, violations), *_by_tags(request, _dataplane_tag_sets)]
    if kind is EXTERNAL_SERVICE:
        found += _by_tags(request, _external_service_tag_sets)
    if violations:
        raise InvalidResource(tuple(violations))
    return tuple(found)


def is_kept(resource: AnyResource, filters: tuple[Filter, ...]) -> bool:
    return all(keep(resource) for keep in filters)


def _by_name(request: Request) -> Iterator[Filter]:
    if part := request.query_params.get("name"):
        yield lambda resource: part in resource.name


def _by_labels(request: Request, violations: list[Violation]) -> Iterator[Filter]:
    wanted: dict[str, str] = {}
    for parameter, text in request.query_params.multi_items():
        if not parameter.startswith("filter["):
            continue
        label, bracket, rest = parameter.removeprefix(_LABEL_PREFIX).partition("]")
        if not parameter.startswith(_LABEL_PREFIX):
            violations.append(_wrong(request, parameter, "filters are only supported on labels"))
        elif not bracket or rest:
            violations.append(_wrong(request, parameter, "advanced filters are not supported"))
        else:
            wanted[label] = text
    if wanted:
        yield lambda resource: wanted.items() <= resource.labels.items()


def _by_gateway(request: Request, violations: list[Violation]) -> Iterator[Filter]:
    mode = request.query_params.get("gateway", "").lower()
    if not mode:
        return
    if mode not in _GATEWAY_MODES:
        message = f"should use `true`, `false`, `builtin` or `delegated` instead of {mode}"
        violations.append(_wrong(request, "gateway", message))
        return
    yield lambda resource: _is_gateway(resource, mode)


def _is_gateway(resource: AnyResource, mode: str) -> bool:
    assert isinstance(resource.spec, DataplaneSpec)
    gateway = resource.spec.networking.gateway
    if mode in {"true", "false"}:
        return (gateway is not None) == (mode == "true")
    return gateway is not None and gateway.type.lower() == mode


def _by_tags(
    request: Request, tag_sets: Callable[[AnyResource], Iterator[Mapping[str, str]]]
) -> Iterator[Filter]:
    """`tag=key:value`, repeatable: one set of tags must have all of them, values as substrings."""
    pairs = [text.partition(":") for text in request.query_params.getlist("tag")]
    wanted = [(key, part) for key, colon, part in pairs if colon]
    if wanted:
        yield lambda resource: any(
            all(key in tags and part in tags[key] for key, part in wanted)
            for tags in tag_sets(resource)
        )


def _dataplane_tag_sets(resource: AnyResource) -> Iterator[Mapping[str, str]]:
    assert isinstance(resource.spec, DataplaneSpec)
    return resource.spec.tag_sets()


def _external_service_tag_sets(resource: AnyResource) -> Iterator[Mapping[str, str]]:
    assert isinstance(resource.spec, ExternalServiceSpec)
    return iter((resource.spec.tags,))


def _wrong(request: Request, parameter: str, message: str) -> Violation:
    route = getattr(request.scope.get("route"), "path", request.url.path)
    return Violation(f"{route}.{parameter}", message)
