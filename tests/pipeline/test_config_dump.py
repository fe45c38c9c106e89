"""Nobody learns a proxy's token from its configuration dump."""

import json

import pytest

from kuma.pipeline.config_dump import without_tokens

METADATA = [
    {"key": "authorization", "value": "eyJ.secret"},
    {"key": "Authorization", "raw_value": "c2VjcmV0"},
    {"key": "x-other", "value": "shown"},
]


def test_tokens_are_redacted_wherever_a_service_is_called_with_one() -> None:
    service = {"envoy_grpc": {"cluster_name": "ads"}, "initial_metadata": METADATA}
    bootstrap = {
        "dynamic_resources": {"ads_config": {"grpc_services": [service]}},
        "hds_config": {"grpc_services": [service]},
    }
    dump = {"configs": [{"@type": "BootstrapConfigDump", "bootstrap": bootstrap}, {}]}

    shown = without_tokens(json.dumps(dump).encode())

    assert b"secret" not in shown
    assert b"c2VjcmV0" not in shown
    assert shown.count(b'"[redacted]"') == 4
    found = json.loads(shown)["configs"][0]["bootstrap"]["hds_config"]["grpc_services"][0]
    assert found["envoy_grpc"] == {"cluster_name": "ads"}
    assert found["initial_metadata"][2] == {"key": "x-other", "value": "shown"}


def test_a_dump_without_tokens_is_shown_as_it_is() -> None:
    dump = b'{"configs":  [{"initial_metadata": []}, 1.50]}'
    assert without_tokens(dump) == dump


def test_what_is_no_json_is_not_shown() -> None:
    with pytest.raises(ValueError, match="expected value"):
        without_tokens(b"authorization: secret")
