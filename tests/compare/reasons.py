"""What may differ, each with its reason; everything else must be equal.

An entry changes both answers to what must be equal. Those that are more than a matter of form are in
docs/differences.md.
"""

import re
from typing import Any

from tests.compare.chance import Json
from tests.compare.side import Answer

_TIMES = ("creationTime", "modificationTime")


def verdict(answer: Answer) -> Json:
    """Whether it is taken, and what is wrong with which field. Texts are each side's own."""
    if answer.is_success:
        warnings = answer.body.get("warnings") if isinstance(answer.body, dict) else None
        return {"status": answer.status, "warnings": len(warnings or ())}
    return {
        "status": answer.status,
        "fields": sorted({field for field, _ in _violations(answer)}),
        "reasons": all(reason for _, reason in _violations(answer)),
    }


def _violations(answer: Answer) -> list[tuple[str, str]]:
    """Without what only repeats another one, and with the field that is in the text alone."""
    body = answer.body if isinstance(answer.body, dict) else {}
    pairs = [(each["field"], each["reason"]) for each in body.get("invalid_parameters") or ()]
    return [
        (_field(field, reason), reason)
        for field, reason in pairs
        if not reason.startswith("Checked value must be")
    ]


def _field(field: str, reason: str) -> str:
    """In one notation for the keys of maps."""
    if not field and " in body " in reason:
        field = reason.split(" in body ", maxsplit=1)[0].lstrip(".")
    for pattern, written in _NOTATIONS.items():
        field = re.sub(pattern, written, field)
    return field


_NOTATIONS = {
    r'\["([^"]*)"\]': r".\1",
    # Of MeshMetric: fields are called as they are written.
    r"backends\.backend\[(\d+)\]\.port": r"backends[\1].prometheus.port",
    r"backends\.backend\[": "backends[",
    r"applications\.application\[(\d+)\]$": r"applications[\1].port",
    r"applications\.application\[": "applications[",
}


_REFUSALS = {
    "unknown field": "fields that do not exist are refused",
    "is not supported by this version": "what does not exist yet is refused",
    "native Envoy resource is not valid": "fields that Envoy does not have are refused",
    "names are not supported yet": "what does not exist yet is refused",
    "is already used by": "two listeners at one address and port are refused",
    "must be a regular expression, and is empty": "what Envoy would refuse is refused",
    "must not contain line breaks": "what Envoy would refuse is refused",
    "must be a valid name of a header": "what Envoy would refuse is refused",
    "the sum of all weights must be": "what Envoy would refuse is refused",
    "must be in host:port format": "what Envoy would refuse is refused",
    "must start with / and have no spaces": "metrics that nobody could get are refused",
    "must not be that of another backend": "metrics that nobody could get are refused",
    "must be at least 1s": "metrics that nobody could get are refused",
    "must be an IP address or a name of a host": "metrics that nobody could get are refused",
    "must be in kbps/Mbps/Gbps units": "faults without effect are refused",
}


def of_verdicts(ours: Answer, theirs: Answer) -> str:
    """Why two verdicts may differ; empty: they may not."""
    our_violations, their_violations = _violations(ours), _violations(theirs)
    for _, text in our_violations:
        for part, reason in _REFUSALS.items():
            if part in text:
                return reason
    if ours.is_success and [field for field, _ in their_violations] == ["labels"]:
        return "labels of null are none"
    if any(
        text == "must not be null" or field.startswith("labels") for field, text in our_violations
    ):
        return "null is refused everywhere, there only by some fields"
    if ours.status == theirs.status == 400:
        if our_violations and not their_violations:
            return "a field is named where the rival names none"
        ours_in, theirs_in = (
            {field for field, _ in each} for each in (our_violations, their_violations)
        )
        if ours_in & theirs_in:
            return "of several violations others are told first"
        if any(other.startswith(f"{each}.") for other in theirs_in for each in ours_in):
            return "a map is told as a whole"
    return ""


def of_answers(what: str, ours: Json, theirs: Json) -> str:
    """Why two answers may differ; empty: they may not."""
    if theirs.get("status") == 0:
        return "the rival closes the connection"
    if what == "_layout" and {**ours, "outbounds": []} == {**theirs, "outbounds": []}:
        known = theirs.get("outbounds") or ()
        if all(each in known for each in ours.get("outbounds") or ()):
            return "outbounds that there are, not all that the proxy might have"
    return ""


def resource(body: Json) -> Json:
    """Without times, which are each side's own, and without the status, which each works out in
    its own time."""
    if not isinstance(body, dict):
        return body
    kept = {key: each for key, each in body.items() if key not in {*_TIMES, "status"}}
    if kept.get("type") == "MeshService":
        kept["spec"] = _service(kept["spec"])
    return without_zone_alone(kept)


def _service(spec: Json) -> Json:
    """Without what follows from `health.ready`, which here makes a service Unavailable, and with an
    empty list of ports, as written, like none at all."""
    return {key: each for key, each in spec.items() if key != "state" and each != []}


def listing(body: Json) -> Json:
    if not isinstance(body, dict) or "items" not in body:
        return body
    found = {**body, "items": [resource(each) for each in body["items"] or ()]}
    if body.get("next"):
        found["next"] = body["next"].split("?", 1)[-1]
    return found


def error(answer: Answer) -> Json:
    body: Any = answer.body if isinstance(answer.body, dict) else {}
    return {"status": answer.status, "title": body.get("title")}


def timeless(body: Json) -> Json:
    """Without times, at any depth."""
    return without_zone_alone(_timeless(body))


def _timeless(body: Json) -> Json:
    if isinstance(body, dict):
        return {key: _timeless(each) for key, each in body.items() if key not in _TIMES}
    return [_timeless(each) for each in body] if isinstance(body, list) else body


def without_zone_alone(body: Json) -> Json:
    """An inbound without tags stays without, so that what is read can be written back; the rival
    gives it the tag of the zone."""
    if isinstance(body, dict):
        return {
            key: without_zone_alone(each)
            for key, each in body.items()
            if not (key == "tags" and _is_zone_alone(each))
        }
    return [without_zone_alone(each) for each in body] if isinstance(body, list) else body


def _is_zone_alone(tags: Json) -> bool:
    return tags is None or (isinstance(tags, dict) and set(tags) <= {"kuma.io/zone"})


def rules(body: Json) -> Json:
    """Without the warnings: here they tell of settings without effect, too. Rules for resources of
    one name come in any order there."""
    if "rules" not in body:
        return body
    kept = [
        {key: each for key, each in rule.items() if key != "warnings"} for rule in body["rules"]
    ]
    for rule in kept:
        _append_nothing(rule.get("proxyRule"))
        rule["toResourceRules"] = sorted(rule["toResourceRules"], key=_resource_key)
    return timeless({**body, "rules": kept})


def _append_nothing(rule: Json) -> None:
    """Nothing to append is an empty list here, null there."""
    for name in rule["conf"] if rule else ():
        if name.startswith("append") and rule["conf"][name] is None:
            rule["conf"][name] = []


def _resource_key(rule: Json) -> list[str]:
    meta = rule["resourceMeta"]
    return [meta["name"], meta["type"], rule["resourceSectionName"]]


def routes(body: Json) -> Json:
    """Routes of TCP have a KRI and an empty list of matches here, none there."""
    for route in body["routes"] or ():
        if route["kind"] == "MeshTCPRoute":
            route["rules"] = [{"conf": each["conf"]} for each in route["rules"] or ()]
    return timeless(body)
