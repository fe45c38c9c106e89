"""Why two answers may differ as a whole; each reason looks at all of what differs."""

import json
from collections.abc import Iterable

from tests.compare import configs
from tests.compare.chance import Json
from tests.compare.reasons import MULTI_ZONE, waits_for_trust
from tests.compare.targets import MULTI_ZONE as MULTI_ZONES

_BY_NAME = "the name of a MeshMultiZoneService means it"


def reason_for(what: str, ours: Json, theirs: Json, documents: Iterable[Json]) -> str:
    """Empty: they may not."""
    if theirs.get("status") == 0:
        return "the rival closes the connection"
    if what in {"list", "stored"} and _collide(ours, theirs):
        return "a hostname belongs to one service, whatever its kind"
    if what == "insights" and theirs.get("status") == 404 and ours.get("dataplanes") == {}:
        return "what nobody serves has an empty insight, also where there is none at all"
    if what == "_hostnames" and _without_zone(ours) == _without_zone(theirs) != []:
        return "a service of no zone is of this one"
    if what == "_hostnames" and theirs.get("title") == "could not generate hostname":
        return "a template that fails does not fail the others"
    if what == "_rules" and "rules" in ours and _without(ours, theirs) == _without(theirs, ours):
        return _BY_NAME
    if what == "_config" and _are_alike(ours, theirs):
        return "each protocol has what is for it, and each client what holds for all"
    if what == "_layout" and (reason := _layout(ours, theirs, documents)):
        return reason
    for parts in ("policies", "routes") if what != "insights" else ():
        if parts in ours and parts in theirs and _by_name(ours[parts], theirs[parts], documents):
            return _BY_NAME
    return ""


def _collide(ours: Json, theirs: Json) -> bool:
    """Whether hostnames are all that differs, and somebody has none because of it."""
    is_all = _without_hostnames(ours) == _without_hostnames(theirs)
    return is_all and "Collision" in json.dumps([ours, theirs])


def _layout(ours: Json, theirs: Json, documents: Iterable[Json]) -> str:
    is_waiting = any(map(waits_for_trust, documents))
    one, other = ours, theirs
    if is_waiting:
        one, other = _without_id(one), _without_id(other)
    if _without_multi_zone(one) != _without_multi_zone(other):
        return ""
    return "a MeshIdentity without a MeshTrust waits for one" if one == other else _BY_NAME


def _without_id(layout: Json) -> Json:
    return {key: each for key, each in layout.items() if key != "spiffeId"}


def _without_hostnames(body: Json) -> Json:
    if isinstance(body, list):
        return [_without_hostnames(each) for each in body]
    if not isinstance(body, dict):
        return body
    own = {"addresses", "hostnameGenerators"}
    return {key: _without_hostnames(each) for key, each in body.items() if key not in own}


def _without_zone(names: Json) -> Json:
    """Names of MeshMultiZoneServices, which are of no zone, without the part where the rival writes the
    service once more."""
    return [
        [part for part in each["hostname"].split(".") if part not in {"default", *MULTI_ZONES}]
        for each in names.get("items") or ()
        if set(each) == {"hostname"}
    ]


def _are_alike(ours: Json, theirs: Json) -> bool:
    one, other = reconciled(ours, theirs)
    return bool(one == other)


def reconciled(ours: Json, theirs: Json) -> tuple[Json, Json]:
    """As they are, if one of them is an error."""
    if not all("listeners" in each for each in (ours, theirs)):
        return ours, theirs
    return configs.reconciled(ours, theirs)


def _without(rules: Json, others: Json) -> Json:
    """Without the rules on a MeshMultiZoneService, and the matches that only the other has."""
    kept = []
    for each in rules["rules"]:
        of_others = [
            rule for rule in each["toResourceRules"] if rule["resourceMeta"]["type"] != MULTI_ZONE
        ]
        if of_others or any(each[key] for key in ("toRules", "fromRules", "inboundRules")):
            kept.append({**each, "toResourceRules": of_others})
    matches = [each for each in rules["httpMatches"] if each in others["httpMatches"]]
    return {**rules, "rules": kept, "httpMatches": matches}


def _without_multi_zone(layout: Json) -> Json:
    outbounds = layout.get("outbounds") or ()
    return {**layout, "outbounds": [each for each in outbounds if "_mzsvc_" not in each["kri"]]}


def _by_name(ours: list[Json], theirs: list[Json], documents: Iterable[Json]) -> bool:
    """Whether a policy that names one is behind everything that differs."""
    naming = {_display_name(each) for each in documents if _names(each)}
    by_kind = {each["kind"]: each for each in theirs}
    differing = [each for each in ours if by_kind.pop(each["kind"], None) != each]
    return not by_kind and all(
        any(origin["kri"].split("_")[-2] in naming for origin in each["origins"])
        for each in differing
    )


def _names(document: Json) -> bool:
    entries = document.get("spec", {}).get("to") or ()
    return any(each["targetRef"]["kind"] == MULTI_ZONE for each in entries)


def _display_name(document: Json) -> str:
    name: str = document.get("labels", {}).get("kuma.io/display-name", document["name"])
    return name
