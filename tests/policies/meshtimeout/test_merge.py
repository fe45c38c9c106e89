"""What an inbound is handed of MeshTimeouts."""

from typing import Any

from kuma.policies.meshtimeout.model import ConditionalTimeout, ConditionalTimeouts, TimeoutConf
from kuma.resources.match import Match
from tests.resolve.world import a_policy, plan_of
from tests.support.builders import a_dataplane

EXACT = {"spiffeID": {"type": "Exact", "value": "spiffe://default/web"}}
PREFIX = {"spiffeID": {"type": "Prefix", "value": "spiffe://default"}}


def conf(**fields: Any) -> TimeoutConf:
    return TimeoutConf.model_validate(fields)


def handed(*specs: dict[str, Any]) -> tuple[TimeoutConf | None, ConditionalTimeouts | None]:
    """Later specs are weaker: of equals the first name wins."""
    policies = [a_policy("MeshTimeout", f"t{i}", spec) for i, spec in enumerate(specs)]
    slots = plan_of("dp", a_dataplane("dp"), *policies).inbounds[0].conf
    return slots.get(TimeoutConf), slots.get(ConditionalTimeouts)


def test_from_and_rules_are_merged() -> None:
    strong = {"rules": [{"default": {"idleTimeout": "1s"}}]}
    weak = {
        "from": [
            {
                "targetRef": {"kind": "Mesh"},
                "default": {"idleTimeout": "9s", "http": {"requestTimeout": "9s"}},
            }
        ]
    }
    assert handed(strong, weak) == (
        conf(idleTimeout="1s", http={"requestTimeout": "9s"}),
        None,
    )


def test_conditions_are_tried_most_specific_first_over_what_holds_for_all() -> None:
    rules = [
        {"default": {"idleTimeout": "5s"}},
        {"matches": [PREFIX], "default": {"http": {"requestTimeout": "2s"}}},
        {"matches": [EXACT], "default": {"http": {"requestTimeout": "1s"}}},
    ]
    _, conditional = handed({"rules": rules})
    assert conditional == ConditionalTimeouts(
        (
            ConditionalTimeout(
                Match.model_validate(EXACT), conf(idleTimeout="5s", http={"requestTimeout": "1s"})
            ),
            ConditionalTimeout(
                Match.model_validate(PREFIX), conf(idleTimeout="5s", http={"requestTimeout": "2s"})
            ),
        )
    )
