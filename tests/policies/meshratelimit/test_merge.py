"""What an inbound is handed of MeshRateLimits."""

from typing import Any

from kuma.policies.meshratelimit.model import (
    ClientRateLimit,
    ClientRateLimits,
    LocalHttp,
    RateLimitConf,
)
from kuma.resources.match import Match
from tests.resolve.world import a_policy, plan_of
from tests.support.builders import a_dataplane

SIDECARS = {"kind": "Mesh", "proxyTypes": ["Sidecar"]}
WEB = {"spiffeID": {"type": "Exact", "value": "spiffe://default/web"}}
ALL = {"spiffeID": {"type": "Prefix", "value": "spiffe://default/"}}


def rate(num: int) -> dict[str, Any]:
    return {"requestRate": {"num": num, "interval": "1s"}}


def conf(http: dict[str, Any], *matches: dict[str, Any]) -> dict[str, Any]:
    return {"matches": [*matches], "default": {"local": {"http": http}}}


def handed(*policies: list[dict[str, Any]]) -> tuple[RateLimitConf | None, ClientRateLimits | None]:
    """The rules of each; earlier ones are stronger."""
    made = [
        a_policy("MeshRateLimit", f"l{i}", {"targetRef": SIDECARS, "rules": rules})
        for i, rules in enumerate(policies)
    ]
    slots = plan_of("dp", a_dataplane("dp"), *made).inbounds[0].conf
    return slots.get(RateLimitConf), slots.get(ClientRateLimits)


def limits(*pairs: tuple[dict[str, Any], dict[str, Any]]) -> ClientRateLimits:
    return ClientRateLimits(
        tuple(
            ClientRateLimit(Match.model_validate(match), LocalHttp.model_validate(http))
            for match, http in pairs
        )
    )


def test_a_client_has_what_holds_for_all_but_for_what_its_own_rules_say() -> None:
    base, clients = handed(
        [conf({**rate(9), "onRateLimit": {"status": 503}}), conf({"disabled": True}, WEB)],
        [conf(rate(2), ALL), conf(rate(8))],
    )

    assert base == RateLimitConf.model_validate(
        {"local": {"http": {**rate(9), "onRateLimit": {"status": 503}}}}
    )
    assert clients == limits(
        (WEB, {"disabled": True, **rate(2), "onRateLimit": {"status": 503}}),
        (ALL, {**rate(2), "onRateLimit": {"status": 503}}),
    )


def test_a_condition_that_changes_nothing_has_no_rate_of_its_own() -> None:
    assert handed([conf(rate(1)), conf(rate(1), WEB)])[1] is None


def test_without_a_rule_for_all_only_the_named_clients_are_limited() -> None:
    assert handed([conf(rate(1), WEB)]) == (None, limits((WEB, rate(1))))
