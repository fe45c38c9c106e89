"""POST /bootstrap: what is refused, how, and in which form the answer comes."""

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from kuma.config.servers import BootstrapParams, DpServer
from kuma.resources.kinds.catalogue import CORE_KINDS
from kuma.resources.registry import Registry
from kuma.resources.replica import Replica
from kuma.xds.bootstrap import BootstrapDeps, ReplicaProxies, bootstrap_endpoint
from tests.dataplane.control_plane import write_certificate
from tests.support.builders import a_dataplane, a_mesh
from tests.support.replicas import replica_of

Answer = tuple[int, str, bytes]
DOCUMENT = {
    "type": "Dataplane",
    "mesh": "default",
    "name": "new-1",
    "networking": {
        "address": "10.0.0.5",
        "inbound": [{"port": 80, "tags": {"kuma.io/service": "b"}},
                    {"port": 81, "tags": {"kuma.io/service": "a"}}],
    },
}  # fmt: skip


class Server:
    def __init__(self, certificate: Path, **settings: Any) -> None:
        self.replica = replica_of(a_mesh(), a_dataplane("web-1", service="web"))
        deps = BootstrapDeps(
            params=BootstrapParams.model_validate(settings.get("params", {})),
            dp_server=DpServer.model_validate(settings.get("dpServer", {})),
            certificate=certificate.read_bytes,
            proxies=ReplicaProxies(self.replica, Registry(CORE_KINDS)),
            port=settings.get("port", 0),
        )
        self._endpoint = bootstrap_endpoint(deps)

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        status, kind, text = await self._endpoint(
            body, {"host": "localhost:5678", **(headers or {})}
        )
        return int(status), kind, text

    async def ask(self, **request: Any) -> Answer:
        stored = {"mesh": "default", "name": "web-1", "dataplaneToken": "a.b.c"}
        return await self.post(json.dumps({**stored, **request}).encode())

    async def bootstrap(self, **request: Any) -> Any:
        status, _, text = await self.ask(**request)
        assert status == 200, text
        return yaml.safe_load(text)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(write_certificate(tmp_path))


async def test_a_kuma_dp_gets_json_and_anybody_else_yaml(server: Server) -> None:
    request = b'{"mesh":"default","name":"web-1","dataplaneToken":"a.b.c"}'
    status, kind, body = await server.post(request, {"accept": "application/json"})
    answer = json.loads(body)
    assert (status, kind) == (200, "application/json")
    assert answer["kumaSidecarConfiguration"] == {
        "networking": {"address": "127.0.0.1"},
        "metrics": {"aggregate": []},
    }
    assert (await server.post(request)) == (
        200,
        "text/x-yaml",
        base64.b64decode(answer["bootstrap"]),
    )


async def test_a_document_in_the_request_needs_no_stored_dataplane(server: Server) -> None:
    made = await server.bootstrap(name="new-1", dataplaneResource=json.dumps(DOCUMENT))
    assert made["node"]["cluster"] == "a", "the first of its services"
    assert json.loads(made["node"]["metadata"]["dataplane.resource"]) == DOCUMENT


async def test_the_port_is_the_one_that_the_server_is_bound_to(tmp_path: Path) -> None:
    made = await Server(write_certificate(tmp_path), port=1234).bootstrap()
    [cluster] = made["staticResources"]["clusters"]
    [endpoints] = cluster["loadAssignment"]["endpoints"]
    address = endpoints["lbEndpoints"][0]["endpoint"]["address"]["socketAddress"]
    assert address == {"address": "localhost", "portValue": 1234}


async def test_envoy_trusts_what_kuma_dp_trusts(server: Server, tmp_path: Path) -> None:
    own = (tmp_path / "cp.pem").read_text()
    assert trusted(await server.bootstrap()) == own
    (tmp_path / "other").mkdir()
    other = write_certificate(tmp_path / "other").read_text()
    assert trusted(await server.bootstrap(caCert=other)) == other


def trusted(bootstrap: Any) -> str:
    context = bootstrap["staticResources"]["secrets"][0]["validationContext"]
    return base64.b64decode(context["trustedCa"]["inlineBytes"]).decode()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the request is not JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"a":' * 100_000, "recursion limit exceeded"),
        (rb'{"name": "\ud800"}', "the request is not JSON"),
        (b'{"features": 3}', "features: "),
        (b'{"version": {"envoy": {"version": 1}}}', "version.envoy.version: "),
    ],
)
async def test_a_request_that_cannot_be_read_is_400(server: Server, body: bytes, said: str) -> None:
    status, _, text = await server.post(body)
    assert (status, said in text.decode()) == (400, True)


async def test_a_large_request_does_not_hold_up_the_event_loop(server: Server) -> None:
    features = [f"feature-{number}" for number in range(10_000)]
    answers = asyncio.gather(server.bootstrap(features=features), server.bootstrap())
    turns = 0
    while not answers.done():
        await asyncio.sleep(0)
        turns += 1

    large, small = await answers
    assert large["node"]["metadata"]["features"] == features
    assert small["node"]["metadata"]["features"] == []
    assert turns > 10


async def test_a_dataplane_that_is_not_there_yet_is_an_empty_404(server: Server) -> None:
    assert (await server.ask(name="later"))[::2] == (404, b"")


DOCUMENT_WITHOUT_ADDRESS = {**DOCUMENT, "networking": {"inbound": []}}


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"dataplaneToken": ""}, "Dataplane Token is required. Generate token using 'kumactl"),
        ({"proxyType": "gate"}, 'proxyType: unknown proxy type "gate"'),
        ({"proxyType": "ingress"}, 'proxy type "ingress" is not available yet'),
        ({"dataplaneResource": "type: x"}, "dataplaneResource: is not JSON"),
        ({"dataplaneResource": "[" * 10_000}, "dataplaneResource: is not JSON"),
        ({"dataplaneResource": '{"type":"Mesh","name":"web-1"}'}, 'type: must be "Dataplane"'),
        (
            {"name": "new-1", "dataplaneResource": json.dumps(DOCUMENT_WITHOUT_ADDRESS)},
            "networking.address: address can't be empty",
        ),
        (
            {"dataplaneResource": json.dumps(DOCUMENT)},
            'name: is "new-1" here but "web-1" in the request',
        ),
        (
            {"mesh": "m", "name": "x", "dataplaneResource": json.dumps({**DOCUMENT, "mesh": "m", "name": "x"})},
            'mesh: mesh "m" does not exist',
        ),
    ],
)  # fmt: skip
async def test_what_cannot_become_a_proxy_is_422(
    server: Server, request_: dict[str, Any], said: str
) -> None:
    status, _, text = await server.ask(**request_)
    assert (status, said in text.decode()) == (422, True), text


async def test_no_token_is_needed_without_authentication(tmp_path: Path) -> None:
    settings = {"authn": {"dpProxy": {"type": "none"}}}
    server = Server(write_certificate(tmp_path), dpServer=settings)
    made = await server.bootstrap(dataplaneToken="")
    assert "initialMetadata" not in made["dynamicResources"]["adsConfig"]["grpcServices"][0]


async def test_a_store_that_does_not_answer_is_503(server: Server) -> None:
    server.replica.unavailable("the database is away")
    assert (await server.ask())[::2] == (503, b"the database is away")


@pytest.mark.parametrize(
    ("hosts", "host", "holds"),
    [
        (("localhost",), "localhost:5678", True),
        (("localhost",), "LOCALHOST", True),
        (("localhost",), "cp.example:5678", False),
        (("*.example",), "cp.example", True),
        (("*.example",), "a.cp.example", False),
        (("*.example",), ".example", False),
        (("127.0.0.1",), "127.0.0.1:5678", True),
        (("localhost",), "127.0.0.1:5678", False),
        (("::1",), "[::1]:5678", True),
    ],
)
async def test_the_certificate_must_hold_for_the_host(
    hosts: tuple[str, ...], host: str, holds: bool, tmp_path: Path
) -> None:
    server = Server(write_certificate(tmp_path, hosts=hosts))
    body = b'{"mesh":"default","name":"web-1","dataplaneToken":"a.b.c"}'
    status, _, text = await server.post(body, {"host": host})
    assert status == (200 if holds else 400)
    assert holds or f'following SANs ["{hosts[0]}"]' in text.decode()


@pytest.mark.parametrize(("ca", "status"), [(True, 200), (None, 200), (False, 400)])
async def test_only_a_ca_can_verify_the_control_plane(
    ca: bool | None, status: int, tmp_path: Path
) -> None:
    answer = await Server(write_certificate(tmp_path, ca=ca)).ask()
    assert answer[0] == status


async def test_a_ca_that_is_no_certificate_is_400(server: Server) -> None:
    assert (await server.ask(caCert="junk"))[::2] == (400, b"caCert is not a PEM certificate")


def test_a_request_does_not_print_its_token() -> None:
    from kuma.xds.bootstrap.request import parse_request

    assert "a.b.c" not in repr(parse_request(b'{"dataplaneToken":"a.b.c"}'))


async def test_the_replica_is_asked_each_time() -> None:
    from kuma.xds.bootstrap.errors import NotThereYet
    from kuma.xds.bootstrap.request import parse_request

    replica = Replica()
    replica.resynced([a_mesh()])
    proxies = ReplicaProxies(replica, Registry(CORE_KINDS))
    request = parse_request(b'{"mesh":"default","name":"web-1"}')
    with pytest.raises(NotThereYet):
        proxies.read(request)
    replica.resynced([a_mesh(), a_dataplane("web-1", service="web")])
    assert proxies.read(request).service == "web"
