"""One Envoy of the swarm: asks, follows what it is told, acknowledges, remembers, reconnects.

    CDS -> EDS for its clusters, SDS for their certificates -> (all warm) -> LDS -> RDS, SDS

As Envoy does, it asks for listeners when its first clusters are warm, and withholds the acknowledgement
of clusters while one of them is warming, which ends with a new answer of its endpoints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from envoy.config.core.v3.base_pb2 import Node

from kuma.envoy.snapshot import TypeUrl
from tests.bench.facts import Answer, Facts, Reader
from tests.bench.http2_client import GrpcClient
from tests.bench.requests import WHOLE, Variant

CLUSTER, ENDPOINT, LISTENER = TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.LISTENER
ROUTE, SECRET = TypeUrl.ROUTE, TypeUrl.SECRET
NAMED = (ENDPOINT, ROUTE, SECRET)


class Observer(Protocol):
    """The swarm, as its proxies see it."""

    def received(self, proxy: "Proxy", type_url: TypeUrl, size: int) -> None: ...

    def showed(self, proxy: "Proxy", type_url: TypeUrl, before: int, change: int) -> None:
        """The proxy received the change of that number, and so those between `before` and it."""

    def configured(self, proxy: "Proxy") -> None:
        """It has all that it asked for, for the first time on this connection."""

    def gone(self, proxy: "Proxy", reason: str) -> None: ...


@dataclass(frozen=True)
class Settings:
    """`withholds`: a rival that does not send endpoints again would wait for ever."""

    variant: Variant
    reader: Reader
    token: str
    keepalive: float = 10.0
    withholds: bool = True


class Proxy:
    """What outlives a connection: its name and what it has."""

    def __init__(
        self, index: int, node_id: str, metadata: Mapping[str, Any], settings: Settings
    ) -> None:
        self.index = index
        self.settings = settings
        self.has: dict[TypeUrl, dict[str, str]] = {each: {} for each in TypeUrl}
        self.seen = {CLUSTER: -1, ENDPOINT: -1}
        self.is_configured = False
        self._node_id = node_id
        self._metadata = metadata

    def node(self) -> Node:
        node = Node(id=self._node_id, cluster="bench", user_agent_name="envoy")
        node.metadata.update(self._metadata)
        return node

    def connect(self, observer: Observer) -> "Connection":
        self.is_configured = False
        return Connection(self, observer)


class Connection(GrpcClient):
    def __init__(self, proxy: Proxy, observer: Observer) -> None:
        settings = proxy.settings
        headers = {"authorization": settings.token} if settings.token else {}
        super().__init__(settings.variant.path, headers, keepalive=settings.keepalive)
        self.proxy = proxy
        self._observer = observer
        self._variant = settings.variant
        self._wanted: dict[TypeUrl, set[str]] = {each: set() for each in NAMED}
        self._versions: dict[TypeUrl, str] = {}
        self._nonces: dict[TypeUrl, str] = {}
        self._warming: set[str] = set()
        self._withheld: Answer | None = None
        self._expected = set(WHOLE)
        self._is_listening = False

    def opened(self) -> None:
        has = self.proxy.has
        self.say(self._variant.open(CLUSTER, (), has[CLUSTER], self.proxy.node()))
        if has[CLUSTER]:
            self._reopen()
            if self._variant.is_delta:
                self._expected = {SECRET} if has[SECRET] else set()
                self._check(CLUSTER)

    def lost(self, reason: str) -> None:
        self._observer.gone(self.proxy, reason)

    def message(self, content: bytes) -> None:
        proxy = self.proxy
        answer, facts = proxy.settings.reader.read(content)
        type_url = answer.type_url
        if type_url is None:
            return
        self._observer.received(proxy, type_url, len(content))
        self._nonces[type_url], self._versions[type_url] = answer.nonce, answer.version
        self._keep(type_url, answer, facts)
        if type_url is CLUSTER:
            self._on_clusters(answer, facts)
        else:
            if type_url is LISTENER:
                self._ask(ROUTE, facts.routes)
                self._ask(SECRET, facts.secrets)
            elif type_url is ENDPOINT and self._warming:
                self._warming.difference_update(facts.versions, answer.removed)
                self._warm()
            self._acknowledge(answer)
        if not proxy.is_configured:
            self._check(type_url)
        before = proxy.seen.get(type_url)
        if before is not None and facts.change > before:
            proxy.seen[type_url] = facts.change
            self._observer.showed(proxy, type_url, before, facts.change)

    def _keep(self, type_url: TypeUrl, answer: Answer, facts: Facts) -> None:
        has = self.proxy.has[type_url]
        if not self._variant.is_delta and type_url in WHOLE:
            has.clear()
        for name in answer.removed:
            has.pop(name, None)
        has.update(facts.versions)

    def _on_clusters(self, answer: Answer, facts: Facts) -> None:
        known = self._wanted[ENDPOINT]
        gone = known & (set(answer.removed) if self._variant.is_delta else known - facts.endpoints)
        self._ask(SECRET, facts.secrets)
        self._ask(ENDPOINT, facts.endpoints, gone)
        for name in gone:
            self.proxy.has[ENDPOINT].pop(name, None)
        if self.proxy.settings.withholds and self._variant.is_delta:
            self._warming |= facts.endpoints
            self._warming -= gone
        if self._warming:
            self._withheld = answer
        else:
            self._acknowledge(answer)
            self._listen()

    def _warm(self) -> None:
        if self._warming:
            return
        if self._withheld is not None:
            answer, self._withheld = self._withheld, None
            self._acknowledge(answer)
        self._listen()

    def _listen(self) -> None:
        if not self._is_listening:
            self._is_listening = True
            self.say(self._variant.open(LISTENER, (), self.proxy.has[LISTENER], None))

    def _reopen(self) -> None:
        """On a new stream everything is asked for again at once, with what is known."""
        self._is_listening = True
        for type_url in (ENDPOINT, LISTENER, ROUTE, SECRET):
            has = self.proxy.has[type_url]
            names = () if type_url in WHOLE else has
            if type_url not in WHOLE:
                self._wanted[type_url] = set(has)
            self.say(self._variant.open(type_url, names, has, None))

    def _ask(self, type_url: TypeUrl, named: frozenset[str], gone: set[str] = set()) -> None:  # noqa: B006
        wanted = self._wanted[type_url]
        if named <= wanted and not gone:
            return
        first, new = type_url not in self._nonces and not wanted, named - wanted
        wanted |= new
        wanted -= gone
        if first:
            self.say(self._variant.open(type_url, new, {}, None))
            return
        version, nonce = self._versions.get(type_url, ""), self._nonces.get(type_url, "")
        self.say(self._variant.ask(type_url, wanted, new, gone, version=version, nonce=nonce))

    def _acknowledge(self, answer: Answer) -> None:
        type_url = answer.type_url
        assert type_url is not None
        names = self._wanted.get(type_url, ())
        self.say(
            self._variant.acknowledge(type_url, names, version=answer.version, nonce=answer.nonce)
        )

    def _check(self, type_url: TypeUrl) -> None:
        """Configured: an answer for each whole type, and a resource for each name. After a
        reconnect there is no answer where nothing changed, but there are new certificates."""
        self._expected.discard(type_url)
        if self._expected:
            return
        has = self.proxy.has
        if all(self._wanted[each] <= has[each].keys() for each in NAMED):
            self.proxy.is_configured = True
            self._observer.configured(self.proxy)
