"""What an inbound is handed of MeshTrafficPermissions."""

from dataclasses import replace

from kuma.plan.origin import Origin
from kuma.policies.meshtrafficpermission.model import (
    Action,
    IdentityMatch,
    IdentityRules,
    PermissionConf,
    SpiffeMatch,
    SpiffeMatchKind,
    TagMatch,
    TagRule,
)
from kuma.resources.resource import AnyResource
from tests.resolve.world import a_permission, a_policy, plan_of
from tests.support.builders import a_dataplane

MESH = {"kind": "Mesh"}
WEB = {"kind": "MeshService", "name": "web"}
ANYBODY = ()


def handed(*policies: AnyResource) -> PermissionConf | None:
    return (
        plan_of("dp", a_dataplane("dp"), *policies, mtls=True).inbounds[0].conf.get(PermissionConf)
    )


def by(name: str, rule: int) -> tuple[Origin, ...]:
    return (Origin("MeshTrafficPermission", "default", name, rule),)


def test_later_entries_of_stronger_policies_come_first() -> None:
    weak = a_permission("b", (MESH, "Deny"), (WEB, "Allow"))
    strong = a_permission("a", ({"kind": "MeshSubset", "tags": {"team": "x"}}, "Deny"))
    assert handed(weak, strong) == PermissionConf(
        tag_rules=(
            TagRule((TagMatch("team", "x"),), Action.DENY, by("a", 0)),
            TagRule((TagMatch("kuma.io/service", "web"),), Action.ALLOW, by("b", 1)),
            TagRule(ANYBODY, Action.DENY, by("b", 0)),
        )
    )


def test_what_can_never_decide_is_left_out() -> None:
    policy = a_permission("a", (WEB, "Deny"), (MESH, "Allow"), (WEB, "Deny"), (WEB, "Allow"))
    assert handed(policy) == PermissionConf(
        tag_rules=(
            TagRule((TagMatch("kuma.io/service", "web"),), Action.ALLOW, by("a", 3)),
            TagRule(ANYBODY, Action.ALLOW, by("a", 1)),
        )
    )


def test_rules_by_identity_take_the_place_of_tags_and_an_empty_match_is_nobodys() -> None:
    spiffe = {"spiffeID": {"type": "Prefix", "value": "spiffe://default/web"}}
    default = {
        "deny": [{"sni": {"type": "Exact", "value": "a.b"}}],
        "allow": [spiffe],
        "allowWithShadowDeny": [{}, spiffe],
    }
    labels = {"kuma.io/zone": "east"}
    rules = a_policy("MeshTrafficPermission", "r", {"rules": [{"default": default}]}, labels=labels)
    said = IdentityMatch(origins=by("r", 0), policy="kri_mtp_default_east__r_")
    web = replace(said, spiffe=SpiffeMatch(SpiffeMatchKind.PREFIX, "spiffe://default/web"))
    assert handed(rules, a_permission("a", (MESH, "Allow"))) == PermissionConf(
        identity_rules=IdentityRules(
            deny=(replace(said, sni="a.b"),),
            allow=(web,),
            allow_with_shadow_deny=(web,),
        )
    )


def test_where_no_policy_speaks_there_is_nothing_to_hand() -> None:
    assert handed() is None
