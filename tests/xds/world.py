"""A small mesh as one proxy sees it, and a client that behaves as Envoy does towards its server.

Bodies are JSON that names what a resource refers to, so that the client can check the order in
which things reach it. A version that ends in `!` is one that the client rejects.
"""

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
)

from kuma.envoy.snapshot import EnvoyResource, Named, Snapshot, TypeUrl
from kuma.xds.changes import Changes
from kuma.xds.delta import DeltaStream
from kuma.xds.state_of_the_world import StateStream
from kuma.xds.stream import AdsStream, Response

CLUSTER, ENDPOINT = TypeUrl.CLUSTER, TypeUrl.ENDPOINT
LISTENER, ROUTE, SECRET = TypeUrl.LISTENER, TypeUrl.ROUTE, TypeUrl.SECRET
WHOLE = (CLUSTER, LISTENER)
SECRET_NAME = "identity"


def a_resource(
    type_url: TypeUrl, name: str, version: str = "1", refers: Iterable[str] = ()
) -> EnvoyResource:
    body = json.dumps({"name": name, "version": version, "refers": sorted(refers)})
    return EnvoyResource(type_url, name, version, body.encode())


def named(*resources: EnvoyResource) -> Named:
    return {each.name: each for each in resources}


def a_snapshot(*resources: EnvoyResource) -> Snapshot:
    return Snapshot(
        {
            type_url: found
            for type_url in TypeUrl
            if (found := named(*[each for each in resources if each.type_url is type_url]))
        }
    )


@dataclass
class Log:
    """Reports, as text, and the errors of rejections."""

    lines: list[tuple[str, TypeUrl]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def sent(self, type_url: TypeUrl) -> None:
        self.lines.append(("sent", type_url))

    def acknowledged(self, type_url: TypeUrl) -> None:
        self.lines.append(("acknowledged", type_url))

    def rejected(self, type_url: TypeUrl, error: str) -> None:
        self.lines.append(("rejected", type_url))
        self.errors.append(error)


@dataclass(frozen=True)
class Content:
    """A response as a client reads it, the same for both variants."""

    type_url: TypeUrl
    nonce: str
    version: str
    resources: tuple[EnvoyResource, ...]
    removed: tuple[str, ...]


class DeltaWire:
    """How a client of the delta variant asks and reads."""

    is_delta = True

    def stream(self, reports: Log, changes: Changes) -> AdsStream[Any]:
        return DeltaStream(reports, changes)

    def read(self, response: Response) -> Content:
        message = DeltaDiscoveryResponse.FromString(response.body)
        return Content(
            TypeUrl(message.type_url),
            message.nonce,
            "",
            tuple(_read(message.type_url, each.resource.value) for each in message.resources),
            tuple(message.removed_resources),
        )

    def ask(
        self,
        type_url: TypeUrl,
        *,
        names: Iterable[str],
        before: Iterable[str],
        version: str = "",
        nonce: str = "",
        error: str = "",
        known: Named | None = None,
    ) -> DeltaDiscoveryRequest:
        request = DeltaDiscoveryRequest(
            type_url=type_url,
            resource_names_subscribe=sorted(set(names) - set(before)),
            resource_names_unsubscribe=sorted(set(before) - set(names)),
            response_nonce=nonce,
            initial_resource_versions={each.name: each.version for each in (known or {}).values()},
        )
        if error:
            request.error_detail.message = error
        return request


class StateWire:
    """How a client of the state-of-the-world variant asks and reads."""

    is_delta = False

    def stream(self, reports: Log, changes: Changes) -> AdsStream[Any]:
        return StateStream(reports, changes)

    def read(self, response: Response) -> Content:
        message = DiscoveryResponse.FromString(response.body)
        resources = tuple(_read(message.type_url, each.value) for each in message.resources)
        assert all(each.type_url == message.type_url for each in message.resources)
        type_url = TypeUrl(message.type_url)
        return Content(type_url, message.nonce, message.version_info, resources, ())

    def ask(
        self,
        type_url: TypeUrl,
        *,
        names: Iterable[str],
        before: Iterable[str],
        version: str = "",
        nonce: str = "",
        error: str = "",
        known: Named | None = None,
    ) -> DiscoveryRequest:
        request = DiscoveryRequest(
            type_url=type_url,
            resource_names=sorted(names),
            version_info=version,
            response_nonce=nonce,
        )
        if error:
            request.error_detail.message = error
        return request


def _read(type_url: str, value: bytes) -> EnvoyResource:
    content = json.loads(value)
    return EnvoyResource(TypeUrl(type_url), content["name"], content["version"], value)


def refers(resource: EnvoyResource) -> list[str]:
    names: list[str] = json.loads(resource.body)["refers"]
    return names


class Client:
    """Envoy, as far as the protocol shows: wildcard clusters and listeners, endpoints of the
    clusters it has, routes that its listeners name; withholds the acknowledgement of clusters while
    one of them waits for endpoints. Asserts what a server must not do to it."""

    def __init__(self, wire: DeltaWire | StateWire) -> None:
        self.wire = wire
        self.changes = Changes()
        self.has: dict[TypeUrl, dict[str, EnvoyResource]] = {each: {} for each in TypeUrl}
        self.versions: dict[TypeUrl, str] = {}
        self.rejections: set[tuple[TypeUrl, str, str]] = set()
        """What was rejected alone."""
        self.snapshot: Snapshot | None = None
        self.released = False
        self.connect()

    def connect(self) -> None:
        """Open a stream, saying what is known from the last one."""
        self.log = Log()
        self.stream = self.wire.stream(self.log, self.changes)
        self.inbox: deque[Content] = deque()
        self.unread: dict[TypeUrl, int] = dict.fromkeys(TypeUrl, 0)
        self.asked: dict[TypeUrl, set[str]] = {each: set() for each in TypeUrl}
        self.nonces: dict[TypeUrl, str] = {}
        self.last_sent = dict(self.versions)
        """Versions of whole states."""
        self.is_cold = not self.has[CLUSTER]
        """Until its first clusters are warm a starting client serves nobody."""
        self.is_sure = self.wire.is_delta
        """Whether the server knows which clusters there are."""
        self.withheld: list[Content] = []
        self.warming: set[str] = set()
        self.ready: set[str] = set(self.has[CLUSTER])
        self.troubled: set[TypeUrl] = set()
        """Types of which something was rejected on this stream."""
        self.may_repeat: set[tuple[TypeUrl, str]] = set()
        if not self.wire.is_delta:
            self.may_repeat = {(t, n) for t in TypeUrl if t not in WHOLE for n in self.has[t]}
        self.rejections.clear()
        if self.snapshot is not None:
            assert not self.stream.publish(self.snapshot), "nothing was asked for yet"
        self._open(CLUSTER, set())
        self._open(ENDPOINT, set(self.has[CLUSTER]))
        self._open(LISTENER, set())
        self._open(ROUTE, self._routes())
        self._open(SECRET, {SECRET_NAME})

    def publish(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._take(self.stream.publish(snapshot))

    def lose_patience(self) -> None:
        if self.stream.waits_for:
            self.released = True
            self._take(self.stream.release())

    def resubscribe(self, name: str) -> None:
        """Ask again for endpoints that are known, as a client does that forgot them."""
        if self.wire.is_delta and name in self.asked[ENDPOINT]:
            self.may_repeat.add((ENDPOINT, name))
            self._forgive(ENDPOINT, {name})
            self._send(self.wire.ask(ENDPOINT, names={name}, before=set()))

    def read_one(self) -> bool:
        if not self.inbox:
            return False
        content = self.inbox.popleft()
        self.unread[content.type_url] -= 1
        self.nonces[content.type_url] = content.nonce
        bad = [each for each in content.resources if each.version.endswith("!")]
        if bad:
            self._reject(content, bad)
        else:
            self._accept(content)
        if not self.warming:
            self.is_cold = self.is_cold and CLUSTER not in self.nonces
            withheld, self.withheld = self.withheld, []
            for each in withheld:
                self._answer(each)
        return True

    def settle(self) -> None:
        """Read until nothing comes any more."""
        for _ in range(10_000):
            if self.read_one():
                continue
            if not self.stream.waits_for:
                return
            self.lose_patience()
        raise AssertionError("the server never comes to rest")

    # Reading

    def _accept(self, content: Content) -> None:
        type_url, has = content.type_url, self.has[content.type_url]
        whole = not self.wire.is_delta and type_url in WHOLE
        removed = set(content.removed)
        if whole:
            removed = set(has) - {each.name for each in content.resources}
        if type_url is CLUSTER:
            self._accept_clusters(content.resources, removed)
        if type_url is ENDPOINT:
            self.warming -= {each.name for each in content.resources} | removed
            self.ready |= {each.name for each in content.resources} | removed
        for name in removed:
            has.pop(name, None)
        has.update({each.name: each for each in content.resources})
        self.versions[type_url] = content.version
        if type_url is LISTENER:
            self._ask(ROUTE, self._routes())
        if type_url is ROUTE:
            self._check_routes(content.resources)
        if type_url is CLUSTER and self.warming:
            self.withheld.append(content)
        else:
            self._answer(content)

    def _accept_clusters(self, clusters: tuple[EnvoyResource, ...], removed: set[str]) -> None:
        used = {name for route in self._routes() for name in self._used_by(route)}
        assert not (removed & used and self.is_sure), "a cluster was removed while a route used it"
        self.is_sure = True
        for each in clusters:
            before = self.has[CLUSTER].get(each.name)
            if before is None or before.version != each.version:
                self.warming.add(each.name)
        self.warming -= removed
        self.ready -= removed
        for name in removed:
            self.has[ENDPOINT].pop(name, None)
            self.has[CLUSTER].pop(name, None)
        self.has[CLUSTER].update({each.name: each for each in clusters})
        self._ask(ENDPOINT, set(self.has[CLUSTER]))

    def _check_routes(self, routes: tuple[EnvoyResource, ...]) -> None:
        """What a route refers to is there and warm, unless it was rejected or never warms."""
        if self.released or self.is_cold or CLUSTER in self.troubled:
            return
        for route in routes:
            missing = [name for name in refers(route) if name not in self.ready]
            assert not missing, f"{route.name} came before {missing}"

    def _reject(self, content: Content, bad: list[EnvoyResource]) -> None:
        self.troubled.add(content.type_url)
        if len(content.resources) == 1 or (not self.wire.is_delta and content.type_url in WHOLE):
            self.rejections |= {(content.type_url, each.name, each.version) for each in bad}
        self.may_repeat |= {(content.type_url, each.name) for each in content.resources}
        if content.type_url is ENDPOINT:
            self.warming -= {each.name for each in content.resources}
            self.ready |= {each.name for each in content.resources}
        names = ", ".join(each.name for each in bad)
        self._answer(content, error=f"bad: {names}")

    def _routes(self) -> set[str]:
        return {name for each in self.has[LISTENER].values() for name in refers(each)}

    def _used_by(self, route: str) -> list[str]:
        found = self.has[ROUTE].get(route)
        return refers(found) if found else []

    # Asking

    def _open(self, type_url: TypeUrl, names: set[str]) -> None:
        if type_url not in WHOLE and not names:
            return
        self.asked[type_url] = set(names)
        self._send(
            self.wire.ask(
                type_url,
                names=names,
                before=set(),
                version=self.versions.get(type_url, ""),
                known=self.has[type_url],
            )
        )

    def _ask(self, type_url: TypeUrl, names: set[str]) -> None:
        before, self.asked[type_url] = self.asked[type_url], set(names)
        if names == before:
            return
        self.may_repeat |= {(type_url, name) for name in names - before}
        self._forgive(type_url, names - before)
        version, nonce = self.versions.get(type_url, ""), self.nonces.get(type_url, "")
        if self.wire.is_delta:
            nonce = ""
        self._send(
            self.wire.ask(type_url, names=names, before=before, version=version, nonce=nonce)
        )

    def _forgive(self, type_url: TypeUrl, names: set[str]) -> None:
        """What is asked for anew is sent even if it was rejected."""
        self.rejections = {
            each for each in self.rejections if each[0] is not type_url or each[1] not in names
        }

    def _answer(self, content: Content, *, error: str = "") -> None:
        type_url = content.type_url
        asked = self.asked[type_url]
        version = self.versions.get(type_url, "") if error else content.version
        self._send(
            self.wire.ask(
                type_url,
                names=asked,
                before=asked,
                version=version,
                nonce=content.nonce,
                error=error,
            )
        )

    def _send(self, request: DeltaDiscoveryRequest | DiscoveryRequest) -> None:
        self._take(self.stream.receive(request))

    def _take(self, responses: list[Response]) -> None:
        for response in responses:
            content = self.wire.read(response)
            assert content.nonce == response.nonce
            self._check_sent(content)
            self.unread[content.type_url] += 1
            self.inbox.append(content)

    def _check_sent(self, content: Content) -> None:
        type_url = content.type_url
        names = [each.name for each in content.resources]
        assert len(names) == len(set(names)), "a name twice"
        may_be_more = self.released and type_url is CLUSTER
        assert may_be_more or not self.unread[type_url], "one outstanding answer of a type"
        if type_url is CLUSTER:
            self.may_repeat |= {(ENDPOINT, name) for name in names}
        if not self.wire.is_delta and type_url in WHOLE:
            repeated = content.version == self.last_sent.get(type_url)
            assert not repeated or type_url in self.troubled, "the whole state again"
            self.last_sent[type_url] = content.version
            return
        for each in content.resources:
            known = self.has[type_url].get(each.name)
            key = (type_url, each.name)
            assert (type_url, each.name, each.version) not in self.rejections, "rejected before"
            if known is not None and known.version == each.version:
                assert key in self.may_repeat, f"{each.name} is known already"
            self.may_repeat.discard(key)
