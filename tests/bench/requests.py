"""What an Envoy asks: the two variants of the protocol behind one face."""

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from envoy.config.core.v3.base_pb2 import Node
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DiscoveryRequest

from kuma.envoy.snapshot import TypeUrl
from kuma.xds.ads import DELTA_PATH, STATE_PATH
from kuma.xds.wire import text_field

WHOLE = frozenset({TypeUrl.CLUSTER, TypeUrl.LISTENER})
"""Types that are asked for as a whole."""


class Variant(Protocol):
    path: str
    is_delta: bool

    def open(
        self, type_url: TypeUrl, names: Collection[str], known: Mapping[str, str], node: Node | None
    ) -> bytes:
        """The first request of a type on a stream."""

    def ask(
        self,
        type_url: TypeUrl,
        names: Collection[str],
        new: Collection[str],
        gone: Collection[str],
        *,
        version: str,
        nonce: str,
    ) -> bytes:
        """Ask for other names than before: `names` in all, of which `new` are new."""

    def acknowledge(
        self, type_url: TypeUrl, names: Collection[str], *, version: str, nonce: str
    ) -> bytes: ...


class Delta:
    path = DELTA_PATH
    is_delta = True

    def open(
        self, type_url: TypeUrl, names: Collection[str], known: Mapping[str, str], node: Node | None
    ) -> bytes:
        whole = ["*"] if type_url in WHOLE and known else []
        request: Any = DeltaDiscoveryRequest(
            type_url=type_url,
            resource_names_subscribe=[*whole, *names],
            initial_resource_versions=known,
        )
        return _with_node(request, node)

    def ask(
        self,
        type_url: TypeUrl,
        names: Collection[str],
        new: Collection[str],
        gone: Collection[str],
        *,
        version: str,
        nonce: str,
    ) -> bytes:
        return DeltaDiscoveryRequest(
            type_url=type_url, resource_names_subscribe=new, resource_names_unsubscribe=gone
        ).SerializeToString()

    def acknowledge(
        self, type_url: TypeUrl, names: Collection[str], *, version: str, nonce: str
    ) -> bytes:
        return text_field(2, type_url) + text_field(6, nonce)


class StateOfTheWorld:
    path = STATE_PATH
    is_delta = False

    def open(
        self, type_url: TypeUrl, names: Collection[str], known: Mapping[str, str], node: Node | None
    ) -> bytes:
        return _with_node(DiscoveryRequest(type_url=type_url, resource_names=names), node)

    def ask(
        self,
        type_url: TypeUrl,
        names: Collection[str],
        new: Collection[str],
        gone: Collection[str],
        *,
        version: str,
        nonce: str,
    ) -> bytes:
        return self.acknowledge(type_url, names, version=version, nonce=nonce)

    def acknowledge(
        self, type_url: TypeUrl, names: Collection[str], *, version: str, nonce: str
    ) -> bytes:
        parts = [text_field(1, version)] if version else []
        if type_url not in WHOLE:
            parts += [text_field(3, name) for name in names]
        parts.append(text_field(4, type_url))
        if nonce:
            parts.append(text_field(5, nonce))
        return b"".join(parts)


def _with_node(request: Any, node: Node | None) -> bytes:
    if node is not None:
        request.node.CopyFrom(node)
    return request.SerializeToString()
