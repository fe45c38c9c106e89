"""What a proxy hears that says that it is about to end."""

import pytest

from kuma.pipeline.delivery import ProxyRefused
from kuma.xds.leave import leave_endpoint

BODY = b'{"mesh": "default", "name": "api-1"}'


class Hub:
    def __init__(self, refusal: ProxyRefused | None = None) -> None:
        self.left: list[tuple[str, str, str | None]] = []
        self._refusal = refusal

    async def leave(self, mesh: str, name: str, *, credential: str | None) -> None:
        if self._refusal is not None:
            raise self._refusal
        self.left.append((mesh, name, credential))


async def test_the_hub_is_told_who_leaves_and_how_it_proves_it() -> None:
    hub = Hub()

    status, _, _ = await leave_endpoint(hub)(BODY, {"authorization": "Bearer token"})

    assert status == 200
    assert hub.left == [("default", "api-1", "Bearer token")]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"mesh": "default"}', b'{"name": 1}'])
async def test_nonsense_is_refused(body: bytes) -> None:
    hub = Hub()

    status, _, _ = await leave_endpoint(hub)(body, {})

    assert status == 400
    assert hub.left == []


@pytest.mark.parametrize(
    ("refusal", "status"),
    [("unauthenticated", 401), ("not_found", 404), ("unavailable", 503), ("invalid_argument", 403)],
)
async def test_a_refusal_is_told(refusal: str, status: int) -> None:
    endpoint = leave_endpoint(Hub(ProxyRefused(refusal, "because")))

    assert (await endpoint(BODY, {}))[::2] == (status, b"because")
