"""`/_rules` for people: which policy says what to which traffic of a proxy, and whose it is.

Rules that stand for the same thing in several forms are shown once: `from` rules that are also
there as inbound rules, and rules for all resources of the mesh beside rules for all services.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
HEADERS = ("POLICY", "APPLIES TO", "CONFIGURATION", "ORIGIN")
_WIDTH = 72
_CLIENTS, _SERVICES = "all clients", "all services"


@dataclass(frozen=True)
class RuleInForce:
    """`inbound` is empty where the rule is not about an inbound."""

    policy: str
    inbound: str
    target: str
    conf: str
    origin: str


def rule_rows(answer: Json) -> list[Sequence[str]]:
    """Rows below `HEADERS`, in the order of the policies; inbounds with equal rules together."""
    together: dict[RuleInForce, list[str]] = {}
    for policy in answer.get("rules") or ():
        for rule in _rules_of(policy):
            same = RuleInForce(rule.policy, "", rule.target, rule.conf, rule.origin)
            together.setdefault(same, []).append(rule.inbound)
    return [
        (rule.policy, _applies_to(inbounds, rule.target), rule.conf, rule.origin)
        for rule, inbounds in together.items()
    ]


def warnings_of(answer: Json) -> list[str]:
    found = (each for policy in answer.get("rules") or () for each in policy.get("warnings") or ())
    return list(dict.fromkeys(found))


def _applies_to(inbounds: Sequence[str], target: str) -> str:
    named = [each for each in inbounds if each]
    if not named:
        return target
    return f"inbound{'s' if len(named) > 1 else ''} {', '.join(named)} {target}"


def _rules_of(policy: Json) -> Iterator[RuleInForce]:
    kind = policy.get("type", "")
    proxy = policy.get("proxyRule")
    if proxy:
        yield _rule(kind, "", "the proxy", proxy)
    by_match = {_port(each) for each in policy.get("inboundRules") or ()}
    for each in policy.get("fromRules") or ():
        if _port(each) not in by_match:
            for rule in each.get("rules") or ():
                yield _rule(kind, _port(each), f"from {_by_tags(rule, _CLIENTS)}", rule)
    for each in policy.get("inboundRules") or ():
        for rule in each.get("rules") or ():
            yield _rule(kind, _port(each), f"from {_matched(rule)}", rule)
    by_tags = policy.get("toRules") or ()
    for rule in by_tags:
        yield _rule(kind, "", f"to {_by_tags(rule, _SERVICES)}", rule)
    has_catch_all = any(not rule.get("matchers") for rule in by_tags)
    for rule in policy.get("toResourceRules") or ():
        resource = rule.get("resourceMeta") or {}
        if resource.get("type") != "Mesh":
            yield _rule(kind, "", f"to {_resource(resource, rule)}", rule)
        elif not has_catch_all:
            yield _rule(kind, "", f"to {_SERVICES}", rule)


def _rule(kind: str, inbound: str, target: str, rule: Json) -> RuleInForce:
    return RuleInForce(
        kind, inbound, target, conf_text(rule.get("conf")), ", ".join(_origins(rule))
    )


def conf_text(confs: object) -> str:
    """On one line, cut off where it is too long."""
    shown = confs if isinstance(confs, list) else [confs]
    return _short("; ".join(", ".join(_flat(each)) for each in shown if each))


def match_text(match: object) -> str:
    return ", ".join(_flat(match))


def _port(entry: Json) -> str:
    return str((entry.get("inbound") or {}).get("port", ""))


def _by_tags(rule: Json, otherwise: str) -> str:
    matchers = rule.get("matchers") or ()
    shown = (f"{each['key']}{'!=' if each.get('not') else '='}{each['value']}" for each in matchers)
    return " and ".join(shown) or otherwise


def _matched(rule: Json) -> str:
    return ", ".join(_flat(rule.get("match"))) or _CLIENTS


def _resource(resource: Json, rule: Json) -> str:
    section = rule.get("resourceSectionName") or ""
    return f"{resource.get('type')} {resource.get('name')}" + (f" {section}" if section else "")


def _origins(rule: Json) -> Iterable[str]:
    """Policies, the one that decides last; `#1` where several of its entries could have."""
    return reversed(dict.fromkeys(map(_origin, reversed(rule.get("origin") or ()))))


def _origin(origin: Json) -> str:
    name = str((origin.get("resourceMeta") or origin).get("name", ""))
    return f"{name}#{origin['ruleIndex']}" if origin.get("ruleIndex") else name


def _flat(value: Any, path: str = "") -> Iterator[str]:
    """`http.requestTimeout: 15s`: every leaf with its path."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _flat(each, f"{path}[{index}]")
    elif value is not None:
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        yield f"{path}: {shown}" if path else shown


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."
