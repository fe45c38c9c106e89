"""Which token covers which dataplane."""

from datetime import timedelta

import pytest

from kuma.identity.dataplane_auth import (
    authenticate_dataplane,
    authenticate_zone_proxy,
    check_dataplane,
)
from kuma.identity.errors import TokenRefused
from kuma.identity.signing_keys import ZONE_FAMILY, dataplane_family, signing_key_secret
from kuma.identity.token_validator import TokenValidator
from kuma.identity.tokens import (
    DataplaneIdentity,
    TokenIssuer,
    ZoneIdentity,
    tag_values,
)
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.meta import ResourceMeta
from kuma.resources.resource import Resource
from tests.support.replicas import replica_of

HOUR = timedelta(hours=1)


@pytest.fixture
def source(signing_pem, clock):
    families = (ZONE_FAMILY, dataplane_family("default"))
    return replica_of(*(signing_key_secret(f, signing_pem, now=clock.now()) for f in families))


@pytest.fixture
def issuer(source, clock):
    return TokenIssuer(source, clock=clock)


@pytest.fixture
def validator(source, clock):
    return TokenValidator(source, clock=clock)


@pytest.fixture
def a_dataplane(clock):
    def build(*services, name="web-1", labels=None, **tags):
        inbound = [
            {"port": 80 + index, "tags": {"kuma.io/service": service} | tags}
            for index, service in enumerate(services or ("web",))
        ]
        spec = {"networking": {"address": "10.0.0.1", "inbound": inbound}}
        meta = ResourceMeta("default", name, 1, clock.now(), clock.now(), labels or {})
        return Resource(DATAPLANE, meta, DataplaneSpec.model_validate(spec))

    return build


def proven(**restrictions):
    tags = tag_values(restrictions.pop("tags", {}))
    return DataplaneIdentity("default", tags=tags, **restrictions)


def test_a_token_of_the_mesh_alone_covers_all_its_dataplanes(a_dataplane):
    check_dataplane(proven(), a_dataplane("web"))
    check_dataplane(proven(), a_dataplane("api", labels={"kuma.io/workload": "api"}))


def test_name_tags_and_workload_that_match_are_covered(a_dataplane):
    dataplane = a_dataplane("web", "web-api", labels={"kuma.io/workload": "web"}, version="1")
    tags = {"kuma.io/service": ["web", "web-api", "more"], "version": ["1"]}
    check_dataplane(proven(name="web-1", tags=tags, workload="web"), dataplane)


@pytest.mark.parametrize(
    ("restrictions", "message"),
    [
        ({"name": "web-2"}, 'the token is for the dataplane "web-2", not for "web-1"'),
        (
            {"tags": {"kuma.io/service": ["web"]}},
            (
                'the dataplane has the tag "kuma.io/service" with the value "web-api", which the '
                'token does not allow; it allows "web"'
            ),
        ),
        (
            {"tags": {"kuma.io/zone": ["east"]}},
            'the dataplane has no tag "kuma.io/zone", which the token requires',
        ),
        (
            {"workload": "web"},
            "the dataplane has no label kuma.io/workload, which the token requires",
        ),
    ],
)
def test_what_does_not_match_is_refused(a_dataplane, restrictions, message):
    with pytest.raises(TokenRefused) as refused:
        check_dataplane(proven(**restrictions), a_dataplane("web", "web-api"))
    assert str(refused.value) == message


def test_tags_of_a_gateway_count(clock):
    spec = {"networking": {"address": "10.0.0.1", "gateway": {"tags": {"kuma.io/service": "gw"}}}}
    meta = ResourceMeta("default", "gw", 1, clock.now(), clock.now())
    gateway = Resource(DATAPLANE, meta, DataplaneSpec.model_validate(spec))
    check_dataplane(proven(tags={"kuma.io/service": ["gw"]}), gateway)
    with pytest.raises(TokenRefused, match='does not allow; it allows "web"'):
        check_dataplane(proven(tags={"kuma.io/service": ["web"]}), gateway)


def test_another_workload_is_refused(a_dataplane):
    with pytest.raises(TokenRefused, match='for the workload "api", not for "web"'):
        check_dataplane(proven(workload="api"), a_dataplane(labels={"kuma.io/workload": "web"}))


def test_an_identity_from_the_workload_needs_a_token_bound_to_it(a_dataplane):
    labelled = a_dataplane("web", labels={"kuma.io/workload": "web"})
    with pytest.raises(TokenRefused, match="must be bound to that workload"):
        check_dataplane(proven(), labelled, identity_from_workload=True)
    check_dataplane(proven(workload="web"), labelled, identity_from_workload=True)
    check_dataplane(proven(), a_dataplane("web"), identity_from_workload=True)


def test_a_token_for_another_mesh_is_refused_even_with_a_known_signature(a_dataplane):
    with pytest.raises(TokenRefused, match='for the mesh "other", not for "default"'):
        check_dataplane(DataplaneIdentity("other"), a_dataplane())


def test_a_token_is_checked_before_what_it_says(issuer, validator, a_dataplane, clock):
    identity = proven(tags={"kuma.io/service": ["web"]})
    token = issuer.dataplane(identity, valid_for=HOUR)
    authenticate_dataplane(validator, token, dataplane=a_dataplane("web"))
    clock.advance(HOUR)
    with pytest.raises(TokenRefused, match="expired"):
        authenticate_dataplane(validator, token, dataplane=a_dataplane("web"))


def test_a_dataplane_that_exists_must_be_covered_too(issuer, validator, a_dataplane):
    token = issuer.dataplane(proven(tags={"kuma.io/service": ["web"]}), valid_for=HOUR)
    authenticate_dataplane(
        validator, token, dataplane=a_dataplane("web"), existing=a_dataplane("web", version="0")
    )
    with pytest.raises(TokenRefused, match='value "bank"'):
        authenticate_dataplane(
            validator, token, dataplane=a_dataplane("web"), existing=a_dataplane("bank")
        )


def test_without_a_token_nobody_is_a_dataplane(validator, a_dataplane):
    with pytest.raises(TokenRefused, match="a dataplane token is required"):
        authenticate_dataplane(validator, "", dataplane=a_dataplane())


def test_a_zone_token_covers_its_zone_and_scope(issuer, validator):
    token = issuer.zone(ZoneIdentity("east", ("ingress",)), valid_for=HOUR)
    authenticate_zone_proxy(validator, token, scope="ingress", zone="east")
    with pytest.raises(TokenRefused, match='not for a zone egress, its scope is "ingress"'):
        authenticate_zone_proxy(validator, token, scope="egress", zone="east")
    with pytest.raises(TokenRefused, match='for the zone "east", not for "west"'):
        authenticate_zone_proxy(validator, token, scope="ingress", zone="west")


def test_without_a_zone_token_a_zone_proxy_is_refused(validator):
    with pytest.raises(TokenRefused, match="a zone token is required"):
        authenticate_zone_proxy(validator, "", scope="ingress", zone="east")


def test_a_zone_token_without_a_zone_covers_all(issuer, validator):
    token = issuer.zone(ZoneIdentity("", ("egress",)), valid_for=HOUR)
    authenticate_zone_proxy(validator, token, scope="egress", zone="west")


def test_a_dataplane_token_is_no_zone_token(issuer, validator):
    token = issuer.dataplane(proven(), valid_for=HOUR)
    with pytest.raises(TokenRefused, match="this is a dataplane token"):
        authenticate_zone_proxy(validator, token, scope="ingress", zone="east")


def test_a_zone_token_without_a_scope_covers_nothing(issuer, validator):
    token = issuer.zone(ZoneIdentity("east", ()), valid_for=HOUR)
    with pytest.raises(TokenRefused, match="its scope is empty"):
        authenticate_zone_proxy(validator, token, scope="ingress", zone="east")
