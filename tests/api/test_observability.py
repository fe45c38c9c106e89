"""Metrics under Kuma's names, and log lines that hold no secrets."""

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from tests.api.control_plane import ControlPlane

COUNT = "api_server_http_request_duration_seconds_count"
SIZE = "api_server_http_response_size_bytes_sum"


def _labels(handler: str, method: str = "GET", code: str = "200") -> dict[str, str]:
    return {"service": "", "handler": handler, "method": method, "code": code}


async def test_requests_are_counted_by_route_and_status(
    control_plane: ControlPlane, admin: httpx.AsyncClient
) -> None:
    await admin.get("/meshes/default")
    await admin.get("/meshes/none")
    shown = await admin.get("/meshes/default")
    found = control_plane.metrics.get_sample_value
    assert found(COUNT, _labels("/meshes/{name}")) == 2
    assert found(COUNT, _labels("/meshes/{name}", code="404")) == 1
    assert found(SIZE, _labels("/meshes/{name}")) == 2 * len(shown.content)
    assert found("api_server_http_requests_inflight", {"service": "", "handler": ""}) == 0


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/some/made/up/path", _labels("unknown", code="404")),
        ("BREW", "/meshes", _labels("/meshes", "other", "405")),
    ],
)
async def test_what_clients_make_up_adds_no_series(
    method: str,
    path: str,
    labels: dict[str, str],
    control_plane: ControlPlane,
    admin: httpx.AsyncClient,
) -> None:
    await admin.request(method, path)
    assert control_plane.metrics.get_sample_value(COUNT, labels) == 1


async def test_a_request_is_logged_without_what_may_be_secret(admin: httpx.AsyncClient) -> None:
    body = {"type": "Secret", "mesh": "default", "name": "s-1", "data": "aHVudGVyMg=="}
    structlog.reset_defaults()
    with capture_logs() as logged:
        await admin.put("/meshes/default/secrets/s-1?token=t0ken", json=body)
        await admin.get("/who-am-i", headers={"authorization": "Bearer t0ken"})
    assert [(each["method"], each["path"], each["status"]) for each in logged] == [
        ("PUT", "/meshes/default/secrets/s-1", 201),
        ("GET", "/who-am-i", 200),
    ]
    assert all(each["log_level"] == "debug" for each in logged)
    assert "aHVudGVyMg" not in str(logged)
    assert "t0ken" not in str(logged)
