"""Which faults an inbound is handed, and for whom."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kuma.policies.meshfaultinjection.model import ClientFaults, Fault, InboundFaults
from kuma.resources.match import Match
from tests.resolve.world import a_policy, plan_of
from tests.support.builders import a_dataplane

SIDECARS = {"kind": "Mesh", "proxyTypes": ["Sidecar"]}
WEB = {"spiffeID": {"type": "Exact", "value": "spiffe://default/web"}}
ALL = {"spiffeID": {"type": "Prefix", "value": "spiffe://default/"}}
_TAGS = st.dictionaries(st.sampled_from(("team", "zone")), st.sampled_from("ab"), max_size=2)


def abort(status: int) -> dict[str, Any]:
    return {"abort": {"httpStatus": status, "percentage": 100}}


def statuses(faults: tuple[Fault, ...]) -> list[int]:
    return [each.abort.http_status for each in faults if each.abort]


def handed(**fields: Any) -> tuple[ClientFaults, ...]:
    policy = a_policy("MeshFaultInjection", "p", {"targetRef": SIDECARS, **fields})
    found = plan_of("dp", a_dataplane("dp"), policy).inbounds[0].conf.get(InboundFaults)
    return found.clients if found else ()


def rule(status: int, *matches: dict[str, Any]) -> dict[str, Any]:
    return {"matches": [*matches], "default": {"http": [abort(status)]}}


def client(tags: dict[str, str], *faults: int | None) -> dict[str, Any]:
    http = {} if faults == (None,) else {"http": [abort(status) for status in faults if status]}
    return {"targetRef": {"kind": "MeshSubset", "tags": tags}, "default": http}


def test_a_client_meets_the_faults_of_every_rule_that_holds_for_it() -> None:
    clients = handed(rules=[rule(501), rule(502, ALL), rule(503, WEB), rule(504)])

    assert [(each.match, statuses(each.faults)) for each in clients] == [
        (Match.model_validate(WEB), [501, 504, 502, 503]),
        (Match.model_validate(ALL), [501, 504, 502]),
        (None, [501, 504]),
    ]


@given(
    st.lists(
        st.tuples(_TAGS, st.lists(st.integers(500, 509), max_size=2) | st.just(None)), max_size=5
    ),
    _TAGS,
)
def test_of_the_entries_that_hold_for_a_client_the_strongest_that_has_faults_decides(
    entries: list[tuple[dict[str, str], list[int] | None]], who: dict[str, str]
) -> None:
    clients = handed(
        **{
            "from": [
                client(tags, *(faults if faults is not None else [None]))
                for tags, faults in entries
            ]
        }
    )
    held = [
        faults for tags, faults in entries if tags.items() <= who.items() and faults is not None
    ]
    found = [each.faults for each in clients if dict(each.tags).items() <= who.items()]

    assert statuses(found[0] if found else ()) == (held[-1] if held else [])


def test_where_there_are_rules_from_is_not_looked_at() -> None:
    tags = {"kind": "MeshSubset", "tags": {"kuma.io/service": "backend"}, "proxyTypes": ["Sidecar"]}
    policies = [
        a_policy("MeshFaultInjection", "a", {"targetRef": tags, "from": [client({}, 501)]}),
        a_policy("MeshFaultInjection", "b", {"targetRef": SIDECARS, "rules": [rule(502)]}),
    ]
    found = plan_of("dp", a_dataplane("dp"), *policies).inbounds[0].conf.get(InboundFaults)

    assert found is not None
    assert [statuses(each.faults) for each in found.clients] == [[502]]


def test_entries_without_any_fault_are_nothing() -> None:
    assert handed(**{"from": [client({}), client({"team": "a"}, None)]}) == ()
