"""Patches -> Envoy's resources as they are sent, one by one.

A modification that cannot be made is left out, and told: the rest of the configuration stands.
Differs from Kuma, where the proxy then gets no configuration any more.

Virtual hosts are found in the route configurations that come over RDS. Those of an inbound are
named after its address, and go by Kuma's name, `inbound:<service>`, too.
"""

from collections.abc import Iterator, Mapping, MutableSequence
from functools import lru_cache
from typing import Any, TypeVar

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from google.protobuf.message import DecodeError, Message

from kuma.envoy.constraints import violations
from kuma.envoy.finished import Finished, Made, Purpose
from kuma.envoy.listener import CONNECTION_MANAGER, TAGS_METADATA
from kuma.envoy.message import as_resource, pack
from kuma.envoy.patch import (
    PatchError,
    merge_message,
    merge_packed,
    parse_yaml,
    patched,
    unpack,
)
from kuma.envoy.print import parse_message
from kuma.envoy.shaper import Shaper
from kuma.envoy.snapshot import TypeUrl
from kuma.kit.slots import Slots
from kuma.plan.proxy import Diagnostic
from kuma.policies.meshproxypatch.model import (
    AnyMod,
    ClusterMod,
    FilterMatch,
    FilterOperation,
    HttpFilterMod,
    ListenerMatch,
    ListenerMod,
    NetworkFilterMod,
    Patch,
    Patches,
    ResourceOperation,
    VirtualHostMatch,
    VirtualHostMod,
)

M = TypeVar("M", bound=Message)
_TYPES: Mapping[type, type[Message]] = {
    ClusterMod: Cluster,
    ListenerMod: Listener,
    NetworkFilterMod: Filter,
    HttpFilterMod: HttpFilter,
    VirtualHostMod: VirtualHost,
}
_PATCHED = frozenset({TypeUrl.CLUSTER, TypeUrl.LISTENER, TypeUrl.ROUTE})
_ANY_VALUE = "*"


class ProxyPatchShaper(Shaper):
    kind = "MeshProxyPatch"

    def finish(self, made: Made, conf: Slots) -> Finished:
        found = conf.get(Patches)
        if found is None or made.resource.type_url not in _PATCHED:
            return Finished((made,))
        return _run(found.patches, made)

    def add(self, conf: Slots, *, system_ca_path: str = "") -> Finished:
        """What is added meets the modifications that follow."""
        found = conf.get(Patches)
        patches = found.patches if found is not None else ()
        made: list[Made] = []
        problems: list[Diagnostic] = []
        for position, patch in enumerate(patches):
            try:
                added = _added(patch.mod)
            except PatchError as error:
                problems.append(_problem(patch, error))
                continue
            if added is not None:
                finished = _run(patches[position + 1 :], added)
                made += finished.made
                problems += finished.problems
        return Finished(tuple(made), tuple(problems))


def find_value_error(mod: AnyMod) -> str:
    """What is wrong with the value of a modification; empty: nothing."""
    try:
        value = _value_of(mod)
    except PatchError as error:
        return str(error)
    is_whole = mod.operation not in {ResourceOperation.PATCH, FilterOperation.PATCH}
    return next(violations(value), "") if is_whole else ""


def _run(patches: tuple[Patch, ...], made: Made) -> Finished:
    message: Message | None = parse_message(made.resource)
    problems: list[Diagnostic] = []
    is_touched = False
    for patch in patches:
        if message is None or not _concerns(patch.mod, message, made):
            continue
        draft = type(message)()
        draft.CopyFrom(message)
        try:
            message = _accepted(_change(patch.mod, draft))
        except PatchError as error:
            problems.append(_problem(patch, error))
        else:
            is_touched = True
    if message is None:
        return Finished((), tuple(problems))
    if is_touched:
        name = message.name  # type: ignore[attr-defined] # every resource of these types has one
        resource = as_resource(made.resource.type_url, name, message)
        made = Made(made.purpose, resource)
    return Finished((made,), tuple(problems))


def _accepted(message: M | None) -> M | None:
    """Raises PatchError for what Envoy would refuse, and with it the resource as a whole."""
    wrong = None if message is None else next(violations(message), None)
    if wrong:
        msg = f"Envoy would refuse the outcome: {wrong}"
        raise PatchError(msg)
    return message


def _problem(patch: Patch, error: PatchError) -> Diagnostic:
    path = f"spec.default.appendModifications[{patch.position}]"
    return Diagnostic(patch.origin, path, f"could not be applied: {error}")


def _added(mod: AnyMod) -> Made | None:
    if mod.operation is not ResourceOperation.ADD or isinstance(mod, VirtualHostMod):
        return None
    value = _value_of(mod)
    if isinstance(mod, ClusterMod):
        return Made(Purpose.ADDED_CLUSTER, as_resource(TypeUrl.CLUSTER, value.name, value))
    return Made(Purpose.ADDED_LISTENER, as_resource(TypeUrl.LISTENER, value.name, value))


def _concerns(mod: AnyMod, message: Message, made: Made) -> bool:
    """Whether the resource is of the kind that a modification is about, and meets its match."""
    match = mod.match
    if match is not None and match.origin is not None and match.origin != made.purpose:
        return False
    match mod, message:
        case ClusterMod(), Cluster():
            name = mod.match.name if mod.match is not None else None
            return _is_changed(mod) and _is_wanted(name, message.name)
        case ListenerMod(), Listener():
            return _is_changed(mod) and _matches_listener(mod.match, message)
        case ((NetworkFilterMod() | HttpFilterMod()), Listener()):
            return _matches_listener(mod.match, message)
        case VirtualHostMod(), (RouteConfiguration() | Listener()):
            return True
    return False


def _is_changed(mod: ClusterMod | ListenerMod) -> bool:
    return mod.operation is not ResourceOperation.ADD


def _is_wanted(wanted: str | None, name: str) -> bool:
    return wanted is None or wanted == name


def _matches_listener(match: ListenerMatch | FilterMatch | None, listener: Listener) -> bool:
    match match:
        case None:
            return True
        case ListenerMatch():
            name, tags = match.name, match.tags
        case FilterMatch():
            name, tags = match.listener_name, match.listener_tags
    fields = listener.metadata.filter_metadata[TAGS_METADATA].fields if tags else {}
    return _is_wanted(name, listener.name) and all(
        key in fields and text in {_ANY_VALUE, fields[key].string_value} for key, text in tags or ()
    )


def _change(mod: AnyMod, message: Message) -> Message | None:
    """The message after the modification, None: without it. Raises PatchError."""
    match mod, message:
        case ((ClusterMod() | ListenerMod()), _):
            return None if mod.operation is ResourceOperation.REMOVE else _merged(mod, message)
        case NetworkFilterMod(), Listener():
            for chain in message.filter_chains:
                _change_filters(mod, chain.filters)
        case HttpFilterMod(), Listener():
            for manager in _managers(message):
                _change_filters(mod, manager.http_filters)
        case VirtualHostMod(), RouteConfiguration():
            _change_virtual_hosts(mod, message)
        case VirtualHostMod(), Listener():
            for manager in _managers(message):
                if manager.HasField("route_config"):
                    _change_virtual_hosts(mod, manager.route_config)
    return message


def _managers(listener: Listener) -> Iterator[HttpConnectionManager]:
    """The connection managers, unpacked; what is done to one is packed again."""
    for chain in listener.filter_chains:
        for each in chain.filters:
            if each.name != CONNECTION_MANAGER:
                continue
            manager = HttpConnectionManager()
            try:
                manager.ParseFromString(each.typed_config.value)
            except DecodeError as error:
                raise PatchError(str(error)) from error
            yield manager
            each.typed_config.CopyFrom(pack(manager))


def _change_filters(mod: NetworkFilterMod | HttpFilterMod, filters: MutableSequence[Any]) -> None:
    name = mod.match.name if mod.match is not None else None
    places = [place for place, each in enumerate(filters) if _is_wanted(name, each.name)]
    match mod.operation:
        case FilterOperation.REMOVE:
            for place in reversed(places):
                del filters[place]
        case FilterOperation.PATCH:
            for place in places:
                _patch_filter(mod, filters[place])
        case FilterOperation.ADD_FIRST:
            filters.insert(0, _value_of(mod))
        case FilterOperation.ADD_LAST:
            filters.append(_value_of(mod))
        case FilterOperation.ADD_BEFORE if places:
            filters.insert(places[0], _value_of(mod))
        case FilterOperation.ADD_AFTER if places:
            filters.insert(places[0] + 1, _value_of(mod))


def _patch_filter(mod: NetworkFilterMod | HttpFilterMod, found: Any) -> None:
    """Only its configuration."""
    if mod.json_patches:
        message = patched(unpack(found.typed_config), _operations(mod))
        found.typed_config.CopyFrom(pack(message))
        return
    value = _value_of(mod)
    if value.HasField("typed_config"):
        merge_packed(found.typed_config, value.typed_config)


def _change_virtual_hosts(mod: VirtualHostMod, routes: RouteConfiguration) -> None:
    if not _matches_routes(mod.match, routes):
        return
    hosts = routes.virtual_hosts
    if mod.operation is ResourceOperation.ADD:
        hosts.add().CopyFrom(_parsed(mod.value or "", VirtualHost))
        return
    for place in reversed(range(len(hosts))):
        if not _is_wanted(mod.match.name, hosts[place].name):
            continue
        if mod.operation is ResourceOperation.REMOVE:
            del hosts[place]
        else:
            hosts[place].CopyFrom(_merged(mod, hosts[place]))


def _matches_routes(match: VirtualHostMatch, routes: RouteConfiguration) -> bool:
    wanted = match.route_configuration_name
    return _is_wanted(wanted, routes.name) or any(
        wanted == f"{Purpose.INBOUND}:{host.name}" and routes.name.startswith(Purpose.INBOUND)
        for host in routes.virtual_hosts
    )


def _merged(mod: AnyMod, message: M) -> M:
    if mod.json_patches:
        return patched(message, _operations(mod))
    merge_message(message, _value_of(mod))
    return message


def _operations(mod: AnyMod) -> list[dict[str, Any]]:
    return [block.to_json() for block in mod.json_patches or ()]


def _value_of(mod: AnyMod) -> Any:
    """A message of the kind that the modification is about. Raises PatchError."""
    kind: Any = _TYPES[type(mod)]
    return _parsed(mod.value or "", kind)


@lru_cache(maxsize=256)
def _parsed(text: str, kind: Any) -> Any:
    """Not to be edited: it is put into others, which copies it."""
    return parse_yaml(text, kind)


SHAPER = ProxyPatchShaper()
