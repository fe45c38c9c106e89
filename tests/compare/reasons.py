"""What answers may differ in, each with its reason; everything else must be equal.

An entry changes both answers to what must be equal. Those that are more than a matter of form are in
docs/differences.md.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from kuma.resources.match import find_subdomain_errors
from tests.compare.chance import Json
from tests.compare.side import Answer

MULTI_ZONE = "MeshMultiZoneService"
_TIMES = ("creationTime", "modificationTime", "lastTransitionTime")


def error(answer: Answer) -> Json:
    body: Any = answer.body if isinstance(answer.body, dict) else {}
    return {"status": answer.status, "title": body.get("title")}


def timeless(body: Json) -> Json:
    """Without times, which are each side's own, at any depth; and an inbound or gateway without tags
    stays without, so that what is read can be written back, where the rival gives it that of the zone."""
    if isinstance(body, list):
        return [timeless(each) for each in body]
    if not isinstance(body, dict):
        return body
    kept = {key: timeless(each) for key, each in body.items() if key not in _TIMES}
    for name in ("inbound", "gateway"):
        found = kept.get(name)
        if isinstance(found, dict):
            kept[name] = _without_zone_alone(found)
        elif isinstance(found, list):
            kept[name] = [_without_zone_alone(each) for each in found]
    return kept


def _without_zone_alone(part: Json) -> Json:
    tags = part.get("tags") or {}
    is_alone = set(tags) <= {"kuma.io/zone"}
    return {key: each for key, each in part.items() if not (key == "tags" and is_alone)}


_NAMING = {"MeshTrace", "MeshOpenTelemetryBackend"}


def _names_in_vain(document: Json) -> bool:
    """A MeshTrace that describes a collector and is of another type: the type alone decides here."""
    if document["type"] != "MeshTrace":
        return False
    backends = document["spec"].get("default", {}).get("backends") or ()
    return any("openTelemetry" in each and each["type"] != "OpenTelemetry" for each in backends)


def waits_for_trust(document: Json) -> bool:
    """Whether it is a MeshIdentity for which no MeshTrust is made, and which waits for one here."""
    return document["type"] == "MeshIdentity" and '"Disabled"' in json.dumps(document["spec"])


class Stored:
    """Resources as they are stored, of a set that holds these documents."""

    def __init__(self, documents: Iterable[Json]) -> None:
        known = list(documents)
        self._with_identity = {each["mesh"] for each in known if each["type"] == "MeshIdentity"}
        self._with_mtls = {
            each["name"]
            for each in known
            if each["type"] == "Mesh" and (each.get("mtls") or {}).get("enabledBackend")
        }
        self._misnaming = {each["mesh"] for each in known if _names_in_vain(each)}
        self._waiting = {each["mesh"] for each in known if waits_for_trust(each)}
        self._unhealthy = {
            each["mesh"]
            for each in known
            if each["type"] == "Dataplane" and '"ready": false' in json.dumps(each)
        }

    def resource(self, body: Json) -> Json:
        found = timeless(body)
        if not isinstance(found, dict):
            return found
        if found.get("labels", {}).get("kuma.io/origin") == "":  # which is none
            found["labels"]["kuma.io/origin"] = "zone"
        status = _status(found.pop("status", {}))
        if found.get("type") in _NAMING and found["mesh"] in self._misnaming:
            status.pop("conditions", None)
        if found.get("type") == "MeshIdentity" and waits_for_trust(found):
            status.pop("conditions", None)
        if status:
            found["status"] = status
        if found.get("type") == "Workload":
            found["labels"].pop("kuma.io/origin", None)
        if found.get("type") == "MeshService":
            self._service(found)
        if found.get("type") == "MeshTrust":
            _trust(found)
        return found

    def _service(self, found: Json) -> None:
        """Not whether it is ready for mutual TLS: that hangs on certificates, and on whether it was ever
        seen without proxies. Nor what follows from `health.ready`, which makes a proxy unhealthy here."""
        status, mesh = found.get("status", {}), found["mesh"]
        if mesh in self._with_mtls | self._with_identity:
            status.pop("tls", None)
        if mesh in self._waiting:
            found["spec"].pop("identities", None)
        if mesh in self._unhealthy:
            found["spec"].pop("state", None)
            status.get("dataplaneProxies", {}).pop("healthy", None)

    def listing(self, body: Json) -> Json:
        if not isinstance(body, dict) or "items" not in body:
            return body
        found = {**body, "items": [self.resource(each) for each in body["items"] or ()]}
        if body.get("next"):
            found["next"] = body["next"].split("?", 1)[-1]
        return found


def _status(status: Json) -> Json:
    """Each side has a pool of addresses, and texts of its own. Only policies that name a
    MeshOpenTelemetryBackend have a condition on it here."""
    found = dict(status)
    for name in {"vip", "vips"} & set(found):
        found[name] = len(found[name])
    if "conditions" in found:
        conditions = (each for each in found["conditions"] or () if not _tells_of_none(each))
        found["conditions"] = [_without_text(each) for each in conditions]
    for each in found.get("hostnameGenerators") or ():
        each["conditions"] = [_without_text(one) for one in each["conditions"]]
    return {key: each for key, each in found.items() if each != []}


def _tells_of_none(condition: Json) -> bool:
    text: str = condition["message"]
    return text == "No MeshOpenTelemetryBackend references configured"


def _without_text(condition: Json) -> Json:
    return {**condition, "message": bool(condition["message"])}


def _trust(found: Json) -> None:
    """One that was made for a MeshIdentity has a certificate of its own, and labels, here."""
    if found.get("status", {}).get("origin"):
        found.pop("labels", None)
        found["kri"] = found["kri"].replace("_default__", "___")
        for bundle in found["spec"]["caBundles"]:
            bundle["pem"]["value"] = bundle["pem"]["value"].splitlines()[0]


def hostnames(kind: str, body: Json) -> Json:
    """No names are an empty list here, null there, where names that are none are told as well. Of a
    service of no zone the rival names another zone."""
    items = [each for each in body["items"] or () if not find_subdomain_errors(each["hostname"])]
    if kind == MULTI_ZONE:
        items = [{"hostname": each["hostname"]} for each in items]
    return {"items": items, "total": len(items)}


def rules(body: Json) -> Json:
    """Of the warnings those that both tell of. Rules for resources of one name come in any order there."""
    if "rules" not in body:
        return body
    return timeless(_with_lists({**body, "rules": [_rule(each) for each in body["rules"]]}))


def _rule(rule: Json) -> Json:
    warnings = [each.split(' error:"')[0] for each in rule["warnings"]]
    return {
        **rule,
        "toResourceRules": sorted(rule["toResourceRules"], key=_resource_key),
        "warnings": sorted(each for each in warnings if each.startswith("unable to resolve")),
    }


def _resource_key(rule: Json) -> list[str]:
    meta = rule["resourceMeta"]
    return [meta["name"], meta["type"], rule["resourceSectionName"]]


def policies(body: Json) -> Json:
    return timeless(_with_lists(body))


def _with_lists(body: Json) -> Json:
    """What was written as an empty list is one here, null there."""
    if isinstance(body, dict):
        return {key: _list(key, each) for key, each in body.items()}
    return [_with_lists(each) for each in body] if isinstance(body, list) else body


def _list(key: str, body: Json) -> Json:
    return [] if body is None and key.startswith("append") else _with_lists(body)


def layout(dataplane: Json, documents: Sequence[Json], body: Json) -> Json:
    """The rival's: outbounds that there are, not all that the proxy might have."""
    if not isinstance(body, dict) or "outbounds" not in body:
        return body
    namespace = dataplane.get("labels", {}).get("k8s.kuma.io/namespace", "")
    known = {
        (ref["kind"], namespace, ref["name"], ref["port"])
        for each in dataplane["networking"].get("outbound") or ()
        if (ref := _by_name(each.get("backendRef"), documents))
    }
    known |= {(kind, "", name, port) for kind, _, name, port in known if kind == MULTI_ZONE}
    known |= {(*each[:3], 0) for each in known if each[0] == "MeshExternalService"}
    kept = [each for each in body["outbounds"] or () if _place(each) in known]
    return timeless({**body, "outbounds": kept})


def _by_name(ref: Json | None, documents: Sequence[Json]) -> Json | None:
    """Labels mean the oldest resource that has them; None: nothing has."""
    if ref is None or "name" in ref:
        return ref
    found = (
        each
        for each in documents
        if each["type"] == ref["kind"] and ref["labels"].items() <= each.get("labels", {}).items()
    )
    return next(({**ref, "name": each["name"]} for each in found), None)


def _place(outbound: Json) -> tuple[str, str, str, int]:
    """Of a part of a service: its kind, namespace, name and port."""
    _, short, _, _, namespace, name, _ = outbound["kri"].split("_")
    kind = _KINDS.get(short, short)
    port = 0 if kind == "MeshExternalService" else outbound["port"]
    return kind, namespace, name, port


_KINDS = {
    "msvc": "MeshService", "extsvc": "MeshExternalService", "mzsvc": MULTI_ZONE,
}  # fmt: skip


def routes(body: Json) -> Json:
    """Routes of TCP have a KRI and an empty list of matches here, none there."""
    for route in body["routes"] or ():
        if route["kind"] == "MeshTCPRoute":
            route["rules"] = [{"conf": each["conf"]} for each in route["rules"] or ()]
    return timeless(body)
