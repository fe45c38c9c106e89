"""MeshRetry, where it switches itself off."""

from kuma.policies.meshretry.model import RetryGrpc, RetryHttp
from kuma.policies.meshretry.shape import build_grpc_policy, build_http_policy


def test_no_retries_are_no_policy() -> None:
    assert build_http_policy(RetryHttp(num_retries=0)) is None
    assert build_grpc_policy(RetryGrpc(num_retries=0)) is None
    assert build_http_policy(RetryHttp()) is not None
