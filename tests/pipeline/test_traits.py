"""What a proxy says of itself may be anything; what cannot be used is as if it were not said."""

import pytest

from kuma.pipeline.traits import Traits, traits_of


@pytest.mark.parametrize("port", ["9901", 9901, 9901.0])
def test_ports_are_numbers_or_text(port: object) -> None:
    assert traits_of({"dataplane.admin.port": port}) == Traits(admin_port=9901)


@pytest.mark.parametrize("port", ["x", "1e999", float("nan"), -1, 65536, [9901], None, {}])
def test_what_is_no_port_is_none(port: object) -> None:
    said = {"dataplane.admin.port": port, "dataplane.readinessReporter.port": port}
    assert traits_of(said) == Traits()


def test_features_are_sorted_and_texts_are_texts() -> None:
    assert traits_of({"features": ["b", "a"], "systemCaPath": "/ca"}) == Traits(
        features=("a", "b"), system_ca_path="/ca"
    )
    assert traits_of({"features": "b", "systemCaPath": 1}) == Traits()
