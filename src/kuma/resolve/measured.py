"""Who a proxy is in its metrics. Read only where a policy measures, since it is the proxy's own.

Source: labels as Kuma's control plane hands them to kuma-dp.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from kuma.kit.derived import derived
from kuma.plan.measured import Measured
from kuma.plan.tags import as_tags
from kuma.resolve.inbounds import inbound_tls
from kuma.resolve.naming import is_unified, named_tls
from kuma.resolve.secrets import secrets_of
from kuma.resolve.view import MeshView
from kuma.resources import labels as well_known
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.resource import Resource

_NOT_IN_LABELS = re.compile(r"[^a-zA-Z0-9_]")
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104  # addresses at which all others are listened at too
_ROLE, _WORKLOAD = "kuma.proxy_role", "kuma.workload"


@derived
def measured_of(view: MeshView, name: str, features: tuple[str, ...]) -> Measured | None:
    """None: there is no such Dataplane."""
    dataplane = view.dataplane(name)
    if dataplane is None:
        return None
    unified, secrets = is_unified(view, features), secrets_of(view, dataplane.labels)
    return Measured(
        mesh=view.mesh_name,
        name=name,
        address=dataplane.spec.networking.address,
        labels=as_tags(_labels(view, dataplane, unified=unified)),
        taken=_taken(dataplane.spec),
        machine=view.machine(name),
        tls=named_tls(view, inbound_tls(view, secrets), unified),
        is_unified=unified,
    )


def _labels(
    view: MeshView, dataplane: Resource[DataplaneSpec], *, unified: bool
) -> Mapping[str, str]:
    """Where names are unified, those by tags are left out."""
    workload = dataplane.labels.get(well_known.WORKLOAD, "")
    found = {
        "mesh": view.mesh_name,
        "zone": dataplane.labels.get(well_known.ZONE) or view.zone,
        _ROLE: "sidecar" if dataplane.spec.networking.gateway is None else "gateway",
        _WORKLOAD: workload,
    }
    if not unified:
        tags = _by_key(dataplane.spec.tag_sets())
        found |= _tag_labels(tags) | {"dataplane": dataplane.name}
        if not workload and (services := tags.get(well_known.SERVICE_TAG)):
            found["service"] = services[0]
    return {key: text for key, text in found.items() if text}


def _by_key(tag_sets: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for tags in tag_sets:
        for key, text in tags.items():
            found[key].add(text)
    return {key: sorted(found[key]) for key in sorted(found)}


def _tag_labels(tags: Mapping[str, list[str]]) -> dict[str, str]:
    """The first value of each tag, and in the plural all of them between commas; a tag that is called
    like another's plural goes before it."""
    found: dict[str, str] = {}
    for key, values in tags.items():
        found[_NOT_IN_LABELS.sub("_", key)] = values[0]
        found[_NOT_IN_LABELS.sub("_", f"{key}s")] = f",{','.join(values)},"
    return found


def _taken(spec: DataplaneSpec) -> tuple[int, ...]:
    """Sorted."""
    networking = spec.networking
    interfaces = (networking.interface_of(each) for each in networking.inbound)
    used = [(each.address, each.port) for each in interfaces]
    used += [(each.listening_address, each.port) for each in networking.outbound]
    if networking.admin is not None:
        used.append((networking.address, networking.admin.port))
    here = {networking.address, *_ANYWHERE}
    return tuple(sorted({port for address, port in used if address in here}))
