"""What an Envoy would learn from an answer: names, versions, and what to ask for next.

    answer --scan--> type, nonce, resources as one piece --facts--> remembered by content

Proxies of a service get equal answers, so the content is parsed once and recognized after that: the
swarm must cost less than what it measures.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import (
    DownstreamTlsContext,
    UpstreamTlsContext,
)
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, DiscoveryResponse

from kuma.envoy.snapshot import TypeUrl
from tests.bench.shape import BASE_TIMEOUT

_MOVED = re.compile(rb"10\.250\.(\d{1,3})\.(\d{1,3})")
_TYPES = {str(each): each for each in TypeUrl}
_REMEMBERED = 1 << 28
"""Bytes of content that are remembered, so that a long churn costs bounded memory."""


@dataclass(slots=True)
class Facts:
    """`change` is the number of the change that the content shows, -1 if it shows none."""

    versions: dict[str, str]
    endpoints: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    change: int = -1


@dataclass(slots=True)
class Answer:
    type_url: TypeUrl | None
    nonce: str
    version: str
    removed: list[str]
    content: tuple[int, int]


@dataclass
class Reader:
    """One for each variant of the protocol."""

    is_delta: bool
    _known: dict[bytes, Facts] = field(default_factory=dict)
    _known_resources: dict[bytes, Facts] = field(default_factory=dict)
    _size: int = 0

    def read(self, message: bytes) -> tuple[Answer, Facts]:
        answer = _scan(message)
        start, end = answer.content
        content = message[start:end]
        facts = self._known.get(content)
        if facts is None:
            facts = self._facts(answer.type_url, content)
            self._remember(self._known, content, facts)
        return answer, facts

    def _facts(self, type_url: TypeUrl | None, content: bytes) -> Facts:
        found = Facts({})
        for name, version, body in self._resources(content):
            each = self._known_resources.get(body)
            if each is None:
                each = _facts_of(type_url, name, body)
                self._remember(self._known_resources, body, each)
            found.versions[name or next(iter(each.versions))] = version
            found.endpoints |= each.endpoints
            found.routes |= each.routes
            found.secrets |= each.secrets
            found.change = max(found.change, each.change)
        return found

    def _resources(self, content: bytes) -> Iterator[tuple[str, str, bytes]]:
        if self.is_delta:
            for resource in DeltaDiscoveryResponse.FromString(content).resources:
                yield resource.name, resource.version, resource.resource.value
        else:
            for packed in DiscoveryResponse.FromString(content).resources:
                yield "", "", packed.value

    def _remember(self, known: dict[bytes, Facts], content: bytes, facts: Facts) -> None:
        self._size += len(content)
        if self._size > _REMEMBERED:
            self._known.clear()
            self._known_resources.clear()
            self._size = 0
        known[content] = facts


def _scan(message: bytes) -> Answer:
    """The top level of a DiscoveryResponse or DeltaDiscoveryResponse, whose numbers agree: version 1,
    resources 2, type 4, nonce 5, removed 6 (delta; the other has a control plane there)."""
    type_url, nonce, version, removed = "", "", "", []
    start = end = 0
    position, size = 0, len(message)
    while position < size:
        field_start, tag = position, message[position]
        if tag & 7 == 0:
            _, position = _varint(message, position + 1)
            continue
        length, position = _varint(message, position + 1)
        stop = position + length
        if tag == 0x12:
            start, end = (field_start, stop) if end == 0 else (start, stop)
        elif tag == 0x22:
            type_url = message[position:stop].decode()
        elif tag == 0x2A:
            nonce = message[position:stop].decode()
        elif tag == 0x0A:
            version = message[position:stop].decode()
        elif tag == 0x32:
            removed.append(message[position:stop].decode(errors="replace"))
        position = stop
    return Answer(_TYPES.get(type_url), nonce, version, removed, (start, end))


def _varint(message: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
        shift += 7


def _facts_of(type_url: TypeUrl | None, name: str, body: bytes) -> Facts:
    if type_url is TypeUrl.CLUSTER:
        return _cluster(Cluster.FromString(body))
    if type_url is TypeUrl.LISTENER:
        return _listener(Listener.FromString(body))
    if type_url is TypeUrl.ENDPOINT:
        moved = [int(high) << 8 | int(low) for high, low in _MOVED.findall(body)]
        return Facts({_first_text(body): ""}, change=max(moved, default=-1))
    return Facts({_first_text(body): ""})


def _first_text(body: bytes) -> str:
    """The name: field 1 of assignments, route configurations and secrets."""
    if not body or body[0] != 0x0A:
        return ""
    length, position = _varint(body, 1)
    return body[position : position + length].decode()


def _cluster(cluster: Cluster) -> Facts:
    facts = Facts({cluster.name: ""})
    if cluster.type == Cluster.EDS:
        facts.endpoints = frozenset({cluster.eds_cluster_config.service_name or cluster.name})
        timeout = cluster.connect_timeout
        facts.change = timeout.seconds * 1000 + timeout.nanos // 1_000_000 - BASE_TIMEOUT
    sockets = [
        cluster.transport_socket,
        *(m.transport_socket for m in cluster.transport_socket_matches),
    ]
    facts.secrets = frozenset(
        name
        for each in sockets
        if each.typed_config.Is(UpstreamTlsContext.DESCRIPTOR)
        for name in _secrets_of(UpstreamTlsContext.FromString(each.typed_config.value))
    )
    return facts


def _listener(listener: Listener) -> Facts:
    routes, secrets = set(), set()
    for chain in listener.filter_chains:
        for each in chain.filters:
            if each.typed_config.Is(HttpConnectionManager.DESCRIPTOR):
                manager = HttpConnectionManager.FromString(each.typed_config.value)
                if manager.HasField("rds"):
                    routes.add(manager.rds.route_config_name)
        packed = chain.transport_socket.typed_config
        if packed.Is(DownstreamTlsContext.DESCRIPTOR):
            secrets.update(_secrets_of(DownstreamTlsContext.FromString(packed.value)))
    return Facts({listener.name: ""}, routes=frozenset(routes), secrets=frozenset(secrets))


def _secrets_of(context: Any) -> Iterator[str]:
    common = context.common_tls_context
    named = [*common.tls_certificate_sds_secret_configs]
    named.append(common.validation_context_sds_secret_config)
    named.append(common.combined_validation_context.validation_context_sds_secret_config)
    for each in named:
        if each.name and each.HasField("sds_config"):
            yield each.name
