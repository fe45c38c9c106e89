"""What a Workload accepts."""

from kuma.resources.kinds.workload import WORKLOAD
from tests.resources.claims import find_violations


def test_a_workload_is_its_name() -> None:
    assert find_violations(WORKLOAD, {"spec": {}}, name="a" * 253) == []


def test_a_workload_has_no_fields() -> None:
    assert find_violations(WORKLOAD, {"spec": {"a": 1}}) == [("spec.a", "unknown field")]


def test_a_name_must_fit_into_a_dns_name() -> None:
    found = find_violations(WORKLOAD, {"spec": {}}, name="a" * 254)

    assert found == [("name", "value length must less or equal 253")]
