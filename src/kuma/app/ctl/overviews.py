"""The columns of `kumactl inspect dataplanes|services|meshes|zones`.

What a proxy or zone is, from its resource and its insight, as the REST API shows both in one
document (reference 2.1).
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from kuma.app.ctl.columns import dataplane_tags
from kuma.app.ctl.output import Columns, age, local_time

Document = Mapping[str, Any]
_ONLINE, _OFFLINE, _DEGRADED = "Online", "Offline", "Partially degraded"


def _dataplane(document: Document, now: datetime) -> Sequence[str]:
    networking = (document.get("dataplane") or {}).get("networking") or {}
    insight = document.get("dataplaneInsight") or {}
    mtls = insight.get("mTLS")
    certificate = mtls or {}
    last = _last(insight)
    version = last.get("version") or {}
    dependencies = (version.get("dependencies") or {}).items()
    return (
        document.get("mesh", ""),
        document["name"],
        dataplane_tags(networking),
        dataplane_status(document),
        age(last.get("connectTime"), now),
        age((last.get("status") or {}).get("lastUpdateTime"), now),
        str(_sum(insight, "responsesSent")),
        str(_sum(insight, "responsesRejected")),
        age(certificate.get("lastCertificateRegeneration"), now),
        local_time(certificate.get("certificateExpirationTime")),
        str(certificate.get("certificateRegenerations", 0)),
        "-" if mtls is None else certificate.get("issuedBackend", ""),
        ",".join(certificate.get("supportedBackends") or ()),
        (version.get("kumaDp") or {}).get("version", ""),
        (version.get("envoy") or {}).get("version", ""),
        ", ".join(f"{name}: {each}" for name, each in sorted(dependencies)) or "-",
        ";".join([*_not_ready(networking), *_rejections(insight, now)]),
    )


DATAPLANES = Columns(
    (
        "MESH",
        "NAME",
        "TAGS",
        "STATUS",
        "LAST CONNECTED AGO",
        "LAST UPDATED AGO",
        "TOTAL UPDATES",
        "TOTAL ERRORS",
        "CERT REGENERATED AGO",
        "CERT EXPIRATION",
        "CERT REGENERATIONS",
        "CERT BACKEND",
        "SUPPORTED CERT BACKENDS",
        "KUMA-DP VERSION",
        "ENVOY VERSION",
        "DEPENDENCIES VERSIONS",
        "NOTES",
    ),
    _dataplane,
)


def dataplane_status(document: Document) -> str:
    """Connected and every inbound ready: online; some of them: degraded; a gateway has none."""
    networking = (document.get("dataplane") or {}).get("networking") or {}
    if not _is_online(document.get("dataplaneInsight") or {}):
        return _OFFLINE
    if networking.get("gateway"):
        return _ONLINE
    parts = len(networking.get("inbound") or ()) + len(networking.get("listeners") or ())
    ready = parts - len(list(_not_ready(networking)))
    if not ready:
        return _OFFLINE
    return _ONLINE if ready == parts else _DEGRADED


def _not_ready(networking: Document) -> Iterator[str]:
    if networking.get("gateway"):
        return
    for inbound in networking.get("inbound") or ():
        health = inbound.get("health")
        is_unhealthy = health is not None and not health.get("ready")
        if is_unhealthy or inbound.get("state") == "NotReady":
            service = (inbound.get("tags") or {}).get("kuma.io/service", "")
            yield f"inbound[port={inbound.get('port', 0)},svc={service}] is not ready"
    for listener in networking.get("listeners") or ():
        if listener.get("state", "Ready") != "Ready":
            kind = listener.get("type", "")
            yield f"listener[port={listener.get('port', 0)},type={kind}] is not ready"


def _rejections(insight: Document, now: datetime) -> Iterator[str]:
    """What Envoy said last, in the newest subscription that has such."""
    for subscription in reversed(_subscriptions(insight)):
        found = (subscription.get("status") or {}).get("lastRejection")
        if found:
            message = " ".join(str(found.get("message", "")).split())
            yield f"rejected {age(found.get('time'), now)} ago: {found.get('type', '')}: {message}"
            return


def _zone(document: Document, now: datetime) -> Sequence[str]:
    insight = document.get("zoneInsight") or {}
    is_enabled = (document.get("zone") or {}).get("enabled", True)
    last = _last(insight)
    return (
        document["name"],
        _ONLINE if is_enabled and _is_online(insight) else _OFFLINE,
        age(last.get("connectTime"), now),
        age((last.get("status") or {}).get("lastUpdateTime"), now),
        str(_sum(insight, "responsesSent")),
        str(_sum(insight, "responsesRejected")),
        ((last.get("version") or {}).get("kumaCp") or {}).get("version", ""),
        _backend(last.get("config")),
    )


ZONES = Columns(
    (
        "NAME",
        "STATUS",
        "LAST CONNECTED AGO",
        "LAST UPDATED AGO",
        "TOTAL UPDATES",
        "TOTAL ERRORS",
        "ZONE-CP VERSION",
        "BACKEND",
    ),
    _zone,
)


def _backend(config: object) -> str:
    """The store's type, from the settings that a zone told."""
    try:
        return str(json.loads(config)["store"]["type"]) if isinstance(config, str) else ""
    except (ValueError, KeyError, TypeError):
        return ""


_SERVICE_STATUS = {"online": _ONLINE, "partially_degraded": _DEGRADED}


def _service(document: Document, now: datetime) -> Sequence[str]:
    status = _SERVICE_STATUS.get(document.get("status", ""), _OFFLINE)
    return document["name"], status, _online_of(document.get("dataplanes"))


SERVICES = Columns(("SERVICE", "STATUS", "DATAPLANES"), _service)


def _mesh(document: Document, now: datetime) -> Sequence[str]:
    services = document.get("services") or {}
    policies = sorted((document.get("policies") or {}).items())
    return (
        document["name"],
        _online_of(document.get("dataplanes")),
        str(services.get("internal", 0)),
        str(services.get("external", 0)),
        " ".join(f"{kind}={stat.get('total', 0)}" for kind, stat in policies) or "-",
    )


# Differs from Kuma: it has a column for each of the older kinds of policies and none for the others.
MESHES = Columns(("MESH", "DATAPLANES", "SERVICES", "EXTERNAL SERVICES", "POLICIES"), _mesh)


def _online_of(stat: Document | None) -> str:
    return f"{(stat or {}).get('online', 0)}/{(stat or {}).get('total', 0)}"


def _subscriptions(insight: Document) -> Sequence[Document]:
    found: Sequence[Document] = insight.get("subscriptions") or ()
    return found


def _last(insight: Document) -> Document:
    subscriptions = _subscriptions(insight)
    return subscriptions[-1] if subscriptions else {}


def _is_online(insight: Document) -> bool:
    return any(
        each.get("connectTime") and not each.get("disconnectTime")
        for each in _subscriptions(insight)
    )


def _sum(insight: Document, counter: str) -> int:
    """Over all subscriptions. 64-bit numbers are texts in protobuf's JSON."""
    read: Callable[[Document], int] = lambda each: int(  # noqa: E731
        ((each.get("status") or {}).get("total") or {}).get(counter, 0)
    )
    return sum(map(read, _subscriptions(insight)))
