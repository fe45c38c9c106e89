"""Many rules by tags: the first that holds decides, as of a few, and Envoy takes them."""

from collections.abc import Mapping, Sequence

from envoy.config.rbac.v3.rbac_pb2 import Principal
from envoy.config.route.v3.route_components_pb2 import VirtualHost
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBACPerRoute
from hypothesis import given
from hypothesis import strategies as st

from kuma.envoy import http_filters
from kuma.envoy.render import Renderer
from kuma.plan.proxy import Inbound
from kuma.policies.meshtrafficpermission.model import Action, PermissionConf, TagMatch, TagRule
from kuma.policies.meshtrafficpermission.shape import POLICY, SHAPER
from tests.envoy.plans import an_inbound, conf, inbound_tls
from tests.support.envoy_validate import rejections

SERVICE = "kuma.io/service"
KEYS = ("team", "zone", SERVICE)
MATCHES = st.builds(TagMatch, st.sampled_from(KEYS), st.sampled_from("abc"), st.booleans())
RULES = st.lists(
    st.builds(TagRule, st.lists(MATCHES, max_size=3).map(tuple), st.sampled_from(Action)),
    max_size=70,
)
CLIENTS = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, st.sampled_from("abcd")))


def with_rules(rules: Sequence[TagRule]) -> Inbound:
    return an_inbound(tls=inbound_tls(), confs=conf(PermissionConf(tag_rules=tuple(rules))))


def decided(rules: Sequence[TagRule], client: Mapping[str, str]) -> Action:
    """By the first rule that holds."""
    for rule in rules:
        if all((client.get(tag.key) == tag.value) is not tag.negated for tag in rule.subset):
            return rule.action
    return Action.DENY


def meets(principal: Principal, names: set[str]) -> bool:
    match principal.WhichOneof("identifier"):
        case "any":
            return True
        case "and_ids":
            return all(meets(each, names) for each in principal.and_ids.ids)
        case "or_ids":
            return any(meets(each, names) for each in principal.or_ids.ids)
        case "not_id":
            return not meets(principal.not_id, names)
        case _:
            return principal.authenticated.principal_name.exact in names


@given(RULES, CLIENTS)
def test_the_first_rule_that_holds_decides(rules: list[TagRule], client: dict[str, str]) -> None:
    host, filters = VirtualHost(), RBACPerRoute()
    SHAPER.inbound_routes(host, with_rules(rules))
    host.typed_per_filter_config[http_filters.RBAC].Unpack(filters)
    names = {
        f"spiffe://default/{text}" if key == SERVICE else f"kuma://{key}/{text}"
        for key, text in client.items()
    }
    rbac = filters.rbac
    allowed, counted = (
        any(meets(each, names) for each in found.policies[POLICY].principals)
        for found in (rbac.rules, rbac.shadow_rules)
    )
    expected = decided(rules, client)
    assert allowed is (expected is not Action.DENY)
    assert counted is (expected is Action.ALLOW_WITH_SHADOW_DENY)


def test_envoy_takes_very_many() -> None:
    rules = [
        TagRule(
            (TagMatch("team" if each % 2 else SERVICE, f"v{each}"),),
            Action.ALLOW if each % 2 else Action.DENY,
        )
        for each in range(3_000)
    ]
    made = Renderer([SHAPER]).inbound(with_rules(rules))
    assert sum(len(each.body) for each in made) < 3_000_000
    assert rejections({"many": made}) == {}
