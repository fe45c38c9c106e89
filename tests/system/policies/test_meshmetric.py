"""What MeshMetric promises, seen by Prometheus and by a collector."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.collectors import a_collector
from tests.support.envoy_static import a_key_pair
from tests.support.mesh import HOST, until
from tests.support.processes import free_ports
from tests.system.conftest import Mesh

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL = "/meshes/default/meshmetrics/under-test"
BACKENDS = "/meshes/default/meshopentelemetrybackends/under-test"
APPLICATION = """\
# HELP shop_orders_total Orders.
# TYPE shop_orders_total counter
shop_orders_total{state="paid",zone="own"} 1e3 1700000000000
# TYPE shop_seconds histogram
shop_seconds_bucket{le="0.1"} 2
shop_seconds_bucket{le="+Inf"} 3
shop_seconds_sum 1.5
shop_seconds_count 3
"""
IN_OPEN_METRICS = """\
# TYPE depth gauge
depth 7
# TYPE jobs counter
jobs_total 5 1700000000.5 # {trace_id="a"} 1
jobs_created 1700000000
# EOF
"""


@asynccontextmanager
async def an_application(
    text: str = APPLICATION, kind: str = "text/plain; version=0.0.4"
) -> AsyncIterator[int]:
    """Serves its metrics at `/metrics`; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status = "200 OK" if head.startswith(b"GET /metrics ") else "404 Not Found"
        answer = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(text)}\r\n\r\n"
        writer.write((answer + text).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def measured(mesh: Mesh, default: dict[str, Any], dataplane: str = "client") -> Any:
    """A policy for the time of a test."""
    document = {"type": "MeshMetric", "mesh": "default", "name": "under-test"}
    spec = {"targetRef": {"kind": "Dataplane", "name": dataplane}, "default": default}
    answer = await mesh.cp.rest.put(URL, json={**document, "spec": spec})
    assert answer.is_success, answer.text
    try:
        yield
    finally:
        await mesh.cp.rest.delete(URL)


def prometheus(port: int, **more: Any) -> dict[str, Any]:
    return {"type": "Prometheus", "prometheus": {"port": port, **more}}


async def scrape(port: int, path: str = "/metrics") -> httpx.Response | None:
    """None: nobody is there."""
    async with httpx.AsyncClient() as client:
        try:
            return await client.get(f"http://{HOST}:{port}{path}")
        except httpx.HTTPError:
            return None


async def scraped(port: int, holds: Callable[[str], bool], path: str = "/metrics") -> str:
    found: list[str] = []

    async def ask() -> str:
        answer = await scrape(port, path)
        found[:] = ["" if answer is None or answer.status_code != 200 else answer.text]
        return found[0]

    await until(ask, holds)
    return found[0]


def labels_of(text: str, sample: str) -> dict[str, str]:
    """Those of the first sample of that name; the text is one that Prometheus reads."""
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            if each.name == sample:
                return each.labels
    raise AssertionError(f"{sample} is not in\n{text}")


def names_of(text: str) -> set[str]:
    """Those of kuma-dp itself left out."""
    found = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    return {name for name in found if not name.startswith(("process_", "kuma_dp_"))}


async def test_prometheus_gets_the_metrics_of_envoy_and_of_applications(mesh: Mesh) -> None:
    [port] = free_ports(1)
    async with (
        an_application() as app,
        an_application(IN_OPEN_METRICS, "application/openmetrics-text; version=1.0.0") as other,
    ):
        await mesh.get()
        conf = {
            "applications": [{"name": "shop", "port": app}, {"port": other}],
            "backends": [prometheus(port, path="/stats")],
        }
        async with measured(mesh, conf):
            text = await scraped(port, lambda text: "shop_orders" in text, "/stats")
            some = await scraped(port, lambda text: "shop_orders" in text, "/stats?filter=rq_total")
            assert (await scrape(port)).status_code == 404  # type: ignore[union-attr]
    own = labels_of(text, "envoy_cluster_upstream_rq_total")
    assert own["envoy_cluster_name"]
    assert own | {"mesh": "default", "dataplane": "client", "service": "client"} == own
    assert own["kuma_io_service"] == "client"
    assert own["kuma_io_services"] == ",client,"
    assert own["kuma_proxy_role"] == "sidecar"
    orders = labels_of(text, "shop_orders_total")
    assert (orders["state"], orders["zone"], orders["service"]) == ("paid", "default", "client")
    line = next(line for line in text.splitlines() if line.startswith("shop_orders_total{"))
    assert line.endswith(" 1e3 1700000000000")
    line = next(line for line in text.splitlines() if line.startswith("jobs_total{"))
    assert line.endswith(" 5 1700000000500")
    assert "jobs_created" not in text
    assert {"depth", "jobs_total", "shop_seconds"} <= names_of(text)
    of_envoy = {each for each in names_of(some) if each.startswith("envoy_")}
    assert of_envoy
    assert all("rq_total" in each for each in of_envoy)


async def test_kuma_dp_tells_of_itself(mesh: Mesh) -> None:
    [port] = free_ports(1)
    own = "# TYPE process_open_fds gauge\nprocess_open_fds 7\n"
    async with an_application(own) as app:
        conf = {"applications": [{"port": app}], "backends": [prometheus(port)]}
        async with measured(mesh, conf):
            text = await scraped(port, lambda text: "handler_call_count" in text)
    series = [each for family in text_string_to_metric_families(text) for each in family.samples]
    asked = {
        each.labels["path"]: each.value
        for each in series
        if each.name.startswith("kuma_dp_envoyconfigfetcher_handler_call_count")
    }
    assert asked.keys() == {"/meshmetric", "/otel"}
    assert asked["/meshmetric"] >= 1
    fds = [each for each in series if each.name == "process_open_fds"]
    assert [each.value for each in fds if "mesh" in each.labels] == [7]
    assert [each.value > 7 for each in fds if not each.labels] == [True]


async def test_the_basic_profile_has_no_metrics_of_envoys_own_traffic(mesh: Mesh) -> None:
    [port] = free_ports(1)
    await mesh.get()
    async with measured(mesh, {"backends": [prometheus(port)]}):
        text = await scraped(port, lambda text: "envoy_cluster_upstream_rq" in text)
    assert 'envoy_cluster_name="api"' in text
    for own in ("ads_cluster", "kuma_envoy_admin", "_kuma_metrics_hijacker", "kuma_readiness"):
        assert f'"{own}"' not in text


async def test_profiles_and_selectors_choose_metrics(mesh: Mesh) -> None:
    [port] = free_ports(1)
    profiles = {
        "appendProfiles": [{"name": "All"}],
        "exclude": [
            {"type": "Prefix", "match": "envoy_cluster"},
            {"type": "Contains", "match": "http"},
        ],
        "include": [
            {"type": "Exact", "match": "envoy_cluster_upstream_cx_total"},
            {"type": "Regex", "match": "^envoy_http_.*rq_(total|xx)$"},
        ],
    }
    backends = [prometheus(port)]
    async with measured(mesh, {"backends": backends, "sidecar": {"profiles": profiles}}):
        everything = await scraped(port, lambda text: "envoy_server" in text)
        found = names_of(everything)
        assert {name for name in found if name.startswith("envoy_cluster")} == {
            "envoy_cluster_upstream_cx_total"
        }
        assert "envoy_http_downstream_rq_total" in found
        assert "envoy_http_downstream_cx_total" not in found
        assert 'envoy_cluster_name="ads_cluster"' in everything
        profiles = {"appendProfiles": [{"name": "None"}], "include": profiles["include"][:1]}
        sidecar: dict[str, Any] = {"profiles": profiles}
        async with measured(mesh, {"backends": backends, "sidecar": sidecar}):
            only = {"envoy_cluster_upstream_cx_total"}
            used = await scraped(port, lambda text: names_of(text) == only)
            sidecar["includeUnused"] = True
            async with measured(mesh, {"backends": backends, "sidecar": sidecar}):
                await scraped(port, lambda text: len(text) > len(used) and names_of(text) == only)


async def test_without_the_policy_the_port_is_closed(mesh: Mesh) -> None:
    [port] = free_ports(1)
    async with measured(mesh, {"backends": [prometheus(port)]}):
        await scraped(port, bool)
    await until(lambda: scrape(port), lambda answer: answer is None)


async def test_with_mutual_tls_only_the_mesh_gets_metrics(mesh: Mesh) -> None:
    [port] = free_ports(1)
    backend = prometheus(port, tls={"mode": "ActiveMTLSBackend"})

    async def handshakes() -> bool:
        """Whether TLS gets as far as asking for a certificate."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
            writer.write(b"GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n")
            answer = await reader.read(100)
        except ssl.SSLError as error:
            return "CERTIFICATE_REQUIRED" in str(error) or "alert" in str(error)
        except OSError:
            return False
        writer.close()
        return answer == b""

    async with measured(mesh, {"backends": [backend]}):
        await until(handshakes, bool)
        assert await scrape(port) is None


async def a_certificate_of_the_mesh(mesh: Mesh, directory: Path) -> ssl.SSLContext:
    """One for a Prometheus, signed by the CA of the mesh, which is in its secrets."""
    path = "/meshes/default/secrets/default.ca-builtin"
    found = [(await mesh.cp.rest.get(f"{path}-{part}-ca-1")).json() for part in ("cert", "key")]
    ca_pem, ca_key_pem = (base64.b64decode(each["data"]) for each in found)
    ca = x509.load_pem_x509_certificate(ca_pem)
    ca_key = serialization.load_pem_private_key(ca_key_pem, None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    identity = x509.UniformResourceIdentifier("spiffe://default/prometheus")
    certificate = (
        x509.CertificateBuilder(ca.subject, x509.Name([]), key.public_key(), 7)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(minutes=10))
        .add_extension(x509.SubjectAlternativeName([identity]), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    chain = directory / "prometheus.pem"
    encoded = serialization.Encoding.PEM
    form, secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    chain.write_bytes(certificate.public_bytes(encoded) + key.private_bytes(encoded, form, secret))
    context = ssl.create_default_context(cadata=ca_pem.decode())
    context.check_hostname = False  # its name is a SPIFFE ID
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.load_cert_chain(chain)
    return context


async def test_with_mutual_tls_whoever_has_a_certificate_of_the_mesh_gets_metrics(
    mesh: Mesh, tmp_path: Path
) -> None:
    [port] = free_ports(1)
    context = await a_certificate_of_the_mesh(mesh, tmp_path)
    backend = prometheus(port, tls={"mode": "ActiveMTLSBackend"})
    async with (
        measured(mesh, {"backends": [backend]}),
        httpx.AsyncClient(verify=context) as known,
        httpx.AsyncClient(verify=False) as stranger,
    ):

        async def ask(client: httpx.AsyncClient) -> str:
            try:
                return (await client.get(f"https://{HOST}:{port}/metrics")).text
            except (httpx.HTTPError, ssl.SSLError):  # the latter where the refusal is read first
                return ""

        await until(lambda: ask(known), lambda text: "envoy_server_live" in text)
        assert await ask(stranger) == ""


async def test_with_a_certificate_of_the_machine_metrics_go_over_tls(
    mesh: Mesh, tmp_path: Path
) -> None:
    [port] = free_ports(1)
    chain, key = a_key_pair()
    (tmp_path / "tls.crt").write_bytes(chain)
    (tmp_path / "tls.key").write_bytes(key.reveal)
    flags = (f"--metrics-cert-path={tmp_path}/tls.crt", f"--metrics-key-path={tmp_path}/tls.key")
    conf = {"backends": [prometheus(port, tls={"mode": "ProvidedTLS"})]}
    async with (
        mesh.cp.sidecar("secured", *flags),
        measured(mesh, conf, "secured"),
        httpx.AsyncClient(verify=False) as client,  # the certificate is nobody's
    ):

        async def ask() -> httpx.Response | None:
            try:
                return await client.get(f"https://{HOST}:{port}/metrics")
            except httpx.HTTPError:
                return None

        await until(ask, lambda answer: answer is not None and "envoy_server" in answer.text)
        assert await scrape(port) is None


async def test_a_proxy_without_a_certificate_serves_nothing_and_says_so(mesh: Mesh) -> None:
    refused, port = free_ports(2)
    backends = [
        prometheus(refused, clientId="a", tls={"mode": "ProvidedTLS"}),
        prometheus(port, clientId="b"),
    ]
    async with measured(mesh, {"backends": backends}):
        await scraped(port, bool)
        assert await scrape(refused) is None


def metrics_of(told: list[ExportMetricsServiceRequest]) -> dict[str, Metric]:
    return {
        metric.name: metric
        for request in told
        for resource in request.resource_metrics
        for scope in resource.instrumentation_library_metrics  # so called in this version
        for metric in scope.metrics
    }


async def test_a_collector_gets_metrics_again_and_again(mesh: Mesh) -> None:
    await mesh.get()
    async with an_application() as app, a_collector() as collector:
        to = {"endpoint": f"{HOST}:{collector.port}", "refreshInterval": "1s"}
        conf = {
            "applications": [{"port": app}],
            "backends": [{"type": "OpenTelemetry", "openTelemetry": to}],
        }
        async with measured(mesh, conf):
            await until(lambda: asyncio.sleep(0.05, collector.metrics), lambda told: len(told) > 2)
    found = metrics_of(collector.metrics)
    [point] = found["shop_seconds"].histogram.data_points
    assert (list(point.explicit_bounds), list(point.bucket_counts)) == ([0.1], [2, 1])
    assert (point.sum, point.count) == (1.5, 3)
    [orders] = found["shop_orders_total"].sum.data_points
    said = {each.key: each.value.string_value for each in orders.attributes}
    assert (said["state"], said["mesh"], said["kuma.proxy_role"]) == ("paid", "default", "sidecar")
    assert found["envoy_cluster_upstream_rq_total"].sum.is_monotonic
    assert found["envoy_server_live"].gauge.data_points[0].as_double == 1


async def test_a_collector_may_be_a_resource(mesh: Mesh) -> None:
    async with a_collector() as collector:
        document = {"type": "MeshOpenTelemetryBackend", "mesh": "default", "name": "under-test"}
        spec = {"endpoint": {"address": HOST, "port": collector.port}}
        body = {**document, "labels": {"team": "x"}, "spec": spec}
        assert (await mesh.cp.rest.put(BACKENDS, json=body)).is_success
        ref = {"kind": "MeshOpenTelemetryBackend", "labels": {"team": "x"}}
        to = {"backendRef": ref, "refreshInterval": "1s"}
        conf = {"backends": [{"type": "OpenTelemetry", "openTelemetry": to}]}
        try:
            async with measured(mesh, conf):
                await until(lambda: asyncio.sleep(0.05, collector.metrics), bool)
        finally:
            await mesh.cp.rest.delete(BACKENDS)
    assert "envoy_server_live" in metrics_of(collector.metrics)


async def test_a_collector_may_be_reached_over_http(mesh: Mesh) -> None:
    told: list[tuple[str, ExportMetricsServiceRequest]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode().lower().split("\r\n")
            [length] = [each.split(": ")[1] for each in lines if each.startswith("content-length")]
            body = await reader.readexactly(int(length))
            told.append((lines[0], ExportMetricsServiceRequest.FromString(body)))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()

    def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        task.add_done_callback(lambda done: (done.exception(), writer.close()))

    server = await asyncio.start_server(ignore, HOST, 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        document = {"type": "MeshOpenTelemetryBackend", "mesh": "default", "name": "under-test"}
        spec = {"protocol": "http", "endpoint": {"address": HOST, "port": port, "path": "/otlp"}}
        body = {**document, "labels": {"team": "x"}, "spec": spec}
        assert (await mesh.cp.rest.put(BACKENDS, json=body)).is_success
        ref = {"kind": "MeshOpenTelemetryBackend", "labels": {"team": "x"}}
        to = {"backendRef": ref, "refreshInterval": "1s"}
        conf = {"backends": [{"type": "OpenTelemetry", "openTelemetry": to}]}
        try:
            async with measured(mesh, conf):
                await until(lambda: asyncio.sleep(0.05, told), bool)
        finally:
            await mesh.cp.rest.delete(BACKENDS)
    assert told[0][0] == "post /otlp/v1/metrics http/1.1"
    assert "envoy_server_live" in metrics_of([request for _, request in told])
