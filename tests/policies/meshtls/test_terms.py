"""On which terms a proxy takes and begins TLS."""

from typing import Any

import pytest

from kuma.plan.tls import MutualTls, TlsMode, TlsParameters, TlsVersion
from tests.resolve.world import a_policy, plan_of
from tests.support.builders import a_dataplane, an_inbound

RSA = "ECDHE-RSA-AES128-GCM-SHA256"


def terms(*confs: dict[str, Any], mtls: bool = True) -> tuple[TlsMode | None, TlsParameters | None]:
    """Of the inbound; what the proxy begins has the same parameters. Earlier ones are stronger."""
    policies = [
        a_policy("MeshTLS", f"t{i}", {"rules": [{"default": conf}]}) for i, conf in enumerate(confs)
    ]
    dataplane = a_dataplane("dp", service="web", outbounds={9000: "web"})
    plan = plan_of("dp", dataplane, *policies, mtls=mtls)
    tls, upstream = plan.inbounds[0].tls, plan.destinations[0].tls
    begun = upstream.parameters if isinstance(upstream, MutualTls) else None
    taken = tls.parameters if tls else None
    assert begun == taken
    return (tls.mode if tls else None), taken


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({}, TlsParameters()),
        ({"tlsVersion": {"min": "TLSAuto", "max": "TLSAuto"}}, TlsParameters()),
        ({"tlsVersion": {"min": "TLS13"}}, TlsParameters(TlsVersion.TLS13)),
        ({"tlsVersion": {"max": "TLS12"}}, TlsParameters(maximum=TlsVersion.TLS12)),
        (
            {"tlsVersion": {"max": "TLS11"}},
            TlsParameters(TlsVersion.TLS11, TlsVersion.TLS11),
        ),
        (
            {"tlsVersion": {"min": "TLS10", "max": "TLS12"}, "tlsCiphers": [RSA, RSA]},
            TlsParameters(TlsVersion.TLS10, TlsVersion.TLS12, (RSA,)),
        ),
    ],
)
def test_versions_and_ciphers(conf: dict[str, Any], expected: TlsParameters) -> None:
    assert terms(conf) == (TlsMode.STRICT, expected)


def test_of_limits_that_contradict_each_other_the_newer_one_is_the_minimum() -> None:
    from_above = {"tlsVersion": {"min": "TLS13", "max": "TLSAuto"}}
    weaker = {"tlsVersion": {"min": "TLS10", "max": "TLS12"}}

    assert terms(from_above, weaker) == (TlsMode.STRICT, TlsParameters(TlsVersion.TLS13))


def test_without_mutual_tls_there_are_no_terms() -> None:
    assert terms({"mode": "Strict"}, mtls=False) == (None, None)


def test_each_inbound_has_its_own_mode() -> None:
    inbounds = [an_inbound(port=8080, name="new"), an_inbound(port=8081, name="old")]
    policy = a_policy(
        "MeshTLS",
        "old",
        {
            "targetRef": {"kind": "Dataplane", "sectionName": "old"},
            "rules": [{"default": {"mode": "Permissive"}}],
        },
    )
    plan = plan_of("dp", a_dataplane("dp", inbounds=inbounds), policy, mtls=True)

    modes = {each.section: each.tls.mode for each in plan.inbounds if each.tls}
    assert modes == {"new": TlsMode.STRICT, "old": TlsMode.PERMISSIVE}
