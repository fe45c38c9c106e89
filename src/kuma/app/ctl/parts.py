"""The parts of a proxy for people: which there are, and what policies say of one of them.

Parts are known by KRI; what identifies one among those of the proxy is enough: the name or port of an
inbound, the name of a service with or without its port.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kuma.app.ctl.errors import CtlError
from kuma.app.ctl.rules_in_force import conf_text, match_text

Json = Mapping[str, Any]
LAYOUT_HEADERS = ("PART", "PORT", "PROTOCOL", "KRI", "NAME IN ENVOY")
POLICY_HEADERS = ("POLICY", "CONFIGURATION", "ORIGIN")
ROUTE_HEADERS = ("POLICY", "MATCHES", "CONFIGURATION", "ORIGIN")


def layout_rows(layout: Json) -> Iterator[Sequence[str]]:
    for part, field in (("inbound", "protocol"), ("outbound", "protocol"), ("listener", "type")):
        for each in layout.get(f"{part}s") or ():
            name = str(each.get("proxyResourceName", ""))
            yield part, str(each["port"]), str(each.get(field, "")), each["kri"], name


def policy_rows(answer: Json) -> Iterator[Sequence[str]]:
    """Of an inbound a row for each rule, in the order in which they are looked at."""
    for policy in answer.get("policies") or ():
        for rule in policy.get("rules") or ():
            yield policy["kind"], conf_text(rule.get("conf")), rule.get("kri", "")
        if "rules" not in policy:
            yield policy["kind"], conf_text(policy.get("conf")), _origins(policy)


def route_rows(answer: Json) -> Iterator[Sequence[str]]:
    for policy in answer.get("routes") or ():
        for rule in policy.get("rules") or ():
            matches = " or ".join(map(match_text, rule.get("matches") or ())) or "everything"
            yield policy["kind"], matches, conf_text(rule.get("conf")), rule.get("kri", "")


def find_part(layout: Json, part: str, wanted: str) -> str:
    """The KRI of the one part that `wanted` identifies. Raises CtlError with those that there are."""
    entries = layout.get(f"{part}s") or ()
    found = [str(each["kri"]) for each in entries if wanted in _known_as(each)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(found or [str(each["kri"]) for each in entries]) or "none"
    what = "could be any of" if found else f"is no {part} of the proxy, which has"
    raise CtlError(f'--{part}: "{wanted}" {what}: {there}')


def _known_as(entry: Json) -> set[str]:
    """`kri_msvc_default_east__api_http`: by that, by `http` and the port, by `api`, `api:80`."""
    kri, port = str(entry["kri"]), str(entry["port"])
    *_, name, section = kri.split("_", 6)
    return {kri, section, port, name, f"{name}:{port}", f"{name}:{section}"}


def _origins(policy: Json) -> str:
    """The strongest last, each once."""
    kris = [str(each.get("kri", "")) for each in policy.get("origins") or ()]
    return ", ".join(reversed(dict.fromkeys(reversed(kris))))
