"""What a proxy says of itself may be anything; what cannot be used is as if it were not said."""

from typing import Any

import pytest

from kuma.pipeline.fanout import ProxyKey
from kuma.pipeline.traits import Traits, traits_of
from kuma.plan.machine import LOG_PIPE
from kuma.resolve.redirection import Redirection, Said


@pytest.mark.parametrize("port", ["9901", 9901, 9901.0])
def test_ports_are_numbers_or_text(port: object) -> None:
    assert traits_of({"dataplane.admin.port": port}) == Traits(admin_port=9901)


@pytest.mark.parametrize("port", ["x", "1e999", float("nan"), -1, 65536, [9901], None, {}])
def test_what_is_no_port_is_none(port: object) -> None:
    said = {"dataplane.admin.port": port, "dataplane.readinessReporter.port": port}
    assert traits_of(said) == Traits()


def test_features_are_sorted_and_texts_are_texts() -> None:
    assert traits_of({"features": ["b", "a"], "systemCaPath": "/ca"}) == Traits(
        said=Said(("a", "b")), system_ca_path="/ca"
    )
    assert traits_of({"features": "b", "systemCaPath": 1}) == Traits()


WORK = {"workdir": "/run/kuma/", "features": [LOG_PIPE]}


@pytest.mark.parametrize(
    ("said", "pipe"),
    [
        (WORK, "/run/kuma/kuma-al-web-1-default.sock"),
        ({**WORK, "workdir": "/" + "x" * 200}, "/" + "x" * 97 + ".sock"),
        ({**WORK, "features": []}, ""),
        ({"features": [LOG_PIPE]}, ""),
    ],
)
def test_access_logs_go_to_a_pipe_that_is_read(said: dict[str, Any], pipe: str) -> None:
    assert traits_of(said).machine(ProxyKey("default", "web-1")).log_pipe == pipe


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ({"dynamicMetadata": {"HOST_IP": "10.0.0.7"}}, "10.0.0.7"),
        ({"dynamicMetadata": {"HOST_IP": "a name"}}, "127.0.0.1"),
        ({"dynamicMetadata": "x"}, "127.0.0.1"),
        ({}, "127.0.0.1"),
    ],
)
def test_collectors_beside_the_proxy_are_at_its_machine(said: dict[str, Any], address: str) -> None:
    assert traits_of(said).machine(ProxyKey("default", "web-1")).host_ip == address


FEATURE = ["feature-transparent-proxy-in-dataplane-metadata"]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"transparentProxy": {"redirect": {}}}, None),
        ({"features": FEATURE}, Redirection(15006, 15001, has_ipv6=True)),
        (
            {
                "features": FEATURE,
                "transparentProxy": {
                    "ipFamilyMode": "ipv4",
                    "redirect": {
                        "inbound": {"enabled": True, "port": 1.0},
                        "outbound": {"enabled": True, "port": "2"},
                    },
                },
            },
            Redirection(1, 2, has_ipv6=False),
        ),
        (
            {
                "features": FEATURE,
                "transparentProxy": {
                    "redirect": {"inbound": {"enabled": False, "port": 1}, "outbound": 5}
                },
            },
            Redirection(0, 0, has_ipv6=True),
        ),
    ],
)
def test_a_proxy_says_how_it_is_redirected_or_leaves_it_to_its_dataplane(
    metadata: dict[str, object], expected: Redirection | None
) -> None:
    assert traits_of(metadata).said.redirection == expected
