"""What two verdicts on one document may differ in, each with its reason.

A verdict that differs for a reason is not the end: the document is put again without what was wrong.
"""

import re
from typing import Any

from tests.compare import mending
from tests.compare.chance import Json
from tests.compare.side import Answer

_REFUSALS = {
    "unknown field": "fields that do not exist are refused",
    "must not be null": "null is refused everywhere, there only by some fields",
    "is not supported by this version": "what does not exist yet is refused",
    "native Envoy resource is not valid": "fields that Envoy does not have are refused",
    "names are not supported yet": "what does not exist yet is refused",
    "value 'MeshGateway' is not supported": "what does not exist yet is refused",
    "is already the port of": "ports that nobody can listen on are refused",
    "is already used by": "two listeners at one address and port are refused",
    "must be a regular expression": "what Envoy would refuse is refused",
    "port must be in the range": "ports that nobody can listen on are refused",
    "must not contain line breaks": "what Envoy would refuse is refused",
    "must be a valid name of a header": "what Envoy would refuse is refused",
    "the sum of all weights must be": "what Envoy would refuse is refused",
    "must be in host:port format": "what Envoy would refuse is refused",
    "must start with / and have no spaces": "metrics that nobody could get are refused",
    "must not be that of another backend": "metrics that nobody could get are refused",
    "must be at least 1s": "metrics that nobody could get are refused",
    "must be an IP address or a name of a host": "metrics that nobody could get are refused",
    "must be in kbps/Mbps/Gbps units": "faults without effect are refused",
    "must be in the range [2048, 8192]": "keys that are too weak, or take minutes, are refused",
    "is no trust domain": "trust domains that are none are refused",
    "trust domain characters are limited": "trust domains that are none are refused",
    'must begin with "/"': "paths that no SPIFFE ID has are refused",
    "must be greater than zero when defined": "what Envoy would refuse is refused",
    "must be at most 255 bytes": "what Envoy would refuse is refused",
    "must be 1s or more": "certificates that would expire as they are issued are refused",
    "only the top-level targetRef": "what means nothing in a target is refused",
    "where clients are known by their tags": "what means nothing in a target is refused",
    "must be set when kind is MeshMultiZoneService": "what means nothing in a target is refused",
    "with kind MeshMultiZoneService": "what means nothing in a target is refused",
    "must be Disabled: the variables": "what does not exist yet is refused",
}
"""By what our violations say."""


def verdict(answer: Answer) -> Json:
    """Whether it is taken, and what is wrong with which field. Texts are each side's own."""
    if answer.is_success:
        warnings = answer.body.get("warnings") if isinstance(answer.body, dict) else None
        return {"status": answer.status, "warnings": len(warnings or ())}
    found = _violations(answer)
    return {
        "status": answer.status,
        "fields": sorted({_field(field, reason) for field, reason in found}),
        "reasons": all(reason for _, reason in found),
    }


def reason_for(ours: Answer, theirs: Answer, document: Json) -> str:
    """Why two verdicts may differ; empty: they may not."""
    refused = _refused(ours, document)
    if theirs.is_success:
        return (
            next(iter(refused.values()), "")
            if {_field(each, "") for each in refused} == _fields(ours)
            else ""
        )
    if ours.is_success:
        return _taken(_fields(theirs), document)
    if refused and ours.status == 400:
        return next(iter(refused.values()))
    if ours.status == 400 and theirs.status == 500:
        is_ca = any(".conf.caCert" in each for each in _fields(ours))
        return "an authority that cannot be made is told, where the rival fails" if is_ca else ""
    if not ours.status == theirs.status == 400:
        return ""
    if taken := _taken(_fields(theirs), document):
        return taken
    if _fields(ours) and not _fields(theirs):
        return "a field is named where the rival names none"
    if _fields(ours) & _fields(theirs):
        return "of several violations others are told first"
    if any(_is_null(each, document) for each in _fields(ours)):
        return "null is refused everywhere, there only by some fields"
    if any(each.startswith(f"{other}.") for each in _fields(ours) for other in _confs(theirs)):
        return "what is wrong within a conf is told of the field, there of the whole"
    return ""


def _taken(fields: set[str], document: Json) -> str:
    """Why we take what they refuse."""
    if fields == {"labels"} and document.get("labels", 0) is None:
        return "labels of null are none"
    if fields == {"mtls.backends[0].dpCert.rotation.expiration"}:
        certs = [each.get("dpCert") or {} for each in document["mtls"]["backends"]]
        if not any((each.get("rotation") or {}).get("expiration") for each in certs):
            return "a dpCert may leave out its rotation"
    return ""


def wrong_fields(ours: Answer, theirs: Answer, document: Json) -> list[str]:
    """What to take out of a document so that the rest can be compared: what only one of them
    refuses, else what both name, as it is written."""
    if document.get("labels", 0) is None and "labels" in _fields(theirs):
        return ["labels"]
    named = _refused(ours, document) or {field: "" for field, _ in _violations(ours)}
    return [*named] or [field for field, _ in _violations(theirs)]


def _refused(ours: Answer, document: Json) -> dict[str, str]:
    """Our violations of what there is no violation of there: the field, and the reason."""
    found = {
        field: reason
        for field, text in _violations(ours)
        for part, reason in _REFUSALS.items()
        if part in text
    }
    numbers = [
        field
        for field, text in _violations(ours)
        if text.startswith("unsupported value") and type(mending.find(document, field)) is int
    ]
    if document["type"] == "MeshTrace":
        violations = (f for f, text in _violations(ours) if text == "must not be empty")
        literals = [each for each in violations if each.endswith(".literal")]
        found |= dict.fromkeys(literals, "what Envoy would refuse is refused")
    advertised = "networking.advertisedAddress"
    if advertised in (field for field, _ in _violations(ours)):
        found[advertised] = "an advertisedAddress that is no address is refused"
    if document["type"] in {"Mesh", "Dataplane"}:
        found |= dict.fromkeys(numbers, "numbers that stand for nothing are refused")
    return found


def _fields(answer: Answer) -> set[str]:
    return {_field(field, text) for field, text in _violations(answer)}


def _is_null(field: str, document: Json) -> bool:
    return mending.find(document, field) is None


def _confs(answer: Answer) -> set[str]:
    return {each for each in _fields(answer) if each.endswith(".conf")}


def _violations(answer: Answer) -> list[tuple[str, str]]:
    """Without what only repeats another one."""
    body: Any = answer.body if isinstance(answer.body, dict) else {}
    pairs = [(each["field"], each["reason"]) for each in body.get("invalid_parameters") or ()]
    return [each for each in pairs if not each[1].startswith("Checked value must be")]


def _field(field: str, reason: str) -> str:
    """In one notation for the keys of maps, and the field that is in the text alone."""
    if not field and " in body " in reason:
        field = reason.split(" in body ", maxsplit=1)[0].lstrip(".")
    for pattern, written in _NOTATIONS.items():
        field = re.sub(pattern, written, field)
    return field


_NOTATIONS = {
    r'\["([^"]*)"\]': r".\1",
    r"mtls\.dpcert\.": "mtls.backends[0].dpCert.",
    # Of MeshMetric: fields are called as they are written.
    r"backends\.backend\[(\d+)\]\.port": r"backends[\1].prometheus.port",
    r"backends\.backend\[": "backends[",
    r"applications\.application\[(\d+)\]$": r"applications[\1].port",
    r"applications\.application\[": "applications[",
}
