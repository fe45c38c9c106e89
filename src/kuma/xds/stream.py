"""The ADS stream machine: requests and snapshots in, answers out, no I/O.

    receive(request) -> answers        publish(snapshot) -> answers        release() -> answers

One class of rules for both variants of the protocol; `delta` and `state_of_the_world` differ in how
they read subscriptions and write answers. The rules:

- At most one answer of a type is outstanding. While it is, only the newest snapshot is remembered;
  the acknowledgement brings the difference to it.
- Make before break: secrets, clusters, endpoints, listeners, routes; a type waits while an earlier
  one has something left to send, and listeners and routes wait for the acknowledgement of new
  clusters, which Envoy withholds until they are warm. Clusters (then their endpoints and secrets)
  are removed last, when listeners and routes are acknowledged; a rejected listener keeps what it
  uses. Endpoints and secrets never wait for clusters: a warming cluster waits for them.
- A changed cluster gets its endpoints again: Envoy ends its warming only with a new answer.
- What was rejected is not sent again until it changes. The parts of a rejected answer that held
  several resources are tried on their own.

Source: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from kuma.envoy.snapshot import EnvoyResource, Named, Snapshot, TypeUrl
from kuma.xds.changes import Change, Changes, compare
from kuma.xds.interest import PROBES, Interest, Known, Outstanding

Request = TypeVar("Request")

DEFERRED: Final = frozenset({TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.SECRET})
"""Types that others refer to: removed last."""
LEGACY_WILDCARD: Final = frozenset({TypeUrl.CLUSTER, TypeUrl.LISTENER})
"""Types for which a first request without names asks for everything."""

_TYPES: Final[dict[str, TypeUrl]] = {str(each): each for each in TypeUrl}


class Reports(Protocol):
    """Who wants to know what became of the answers; `pipeline.delivery.Connection` is one."""

    def sent(self, type_url: TypeUrl) -> None: ...

    def acknowledged(self, type_url: TypeUrl) -> None: ...

    def rejected(self, type_url: TypeUrl, error: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Response:
    """`body` is the serialized DiscoveryResponse or DeltaDiscoveryResponse."""

    type_url: TypeUrl
    nonce: str
    body: bytes


class AdsStream(ABC, Generic[Request]):
    def __init__(self, reports: Reports, changes: Changes, *, tail: bytes = b"") -> None:
        """`changes` is shared by all streams; `tail` is put into each answer (see
        `wire.control_plane_field`)."""
        self._reports = reports
        self._changes = changes
        self._tail = tail
        self._snapshot: Snapshot | None = None
        self._interests: dict[TypeUrl, Interest] = {}
        self._nonces = 0
        self._reconnects = False
        """The client brought what it knows and may not have named all that it uses yet."""

    def receive(self, request: Request) -> list[Response]:
        """Take an acknowledgement, a rejection or a change of subscription; types that are not
        served are ignored."""
        asked: Any = request
        type_url = _TYPES.get(asked.type_url)
        if type_url is None:
            return []
        interest = self._interests.get(type_url)
        first = interest is None
        if interest is None:
            interest = self._interests[type_url] = Interest(type_url)
        elif asked.response_nonce:
            self._settle(interest, asked)
        self._subscribe(interest, request, first=first)
        self._reconnects = self._reconnects or isinstance(interest.base, Known)
        return self.advance()

    def publish(self, snapshot: Snapshot) -> list[Response]:
        self.offer(snapshot)
        return self.advance()

    def offer(self, snapshot: Snapshot) -> None:
        """Remember the newest snapshot without working out what to send; `advance` does that."""
        self._snapshot = snapshot

    def advance(self) -> list[Response]:
        out: list[Response] = []
        snapshot = self._snapshot
        if snapshot is None or self._is_idle(snapshot):
            return out
        self._send_newest(TypeUrl.SECRET, snapshot, out)
        self._send_newest(TypeUrl.CLUSTER, snapshot, out)
        self._send_newest(TypeUrl.ENDPOINT, snapshot, out)
        if not self._waits_for_clusters(snapshot):
            self._send_newest(TypeUrl.LISTENER, snapshot, out)
            if not self._is_behind(TypeUrl.LISTENER, snapshot):
                self._send_newest(TypeUrl.ROUTE, snapshot, out)
        self._send_removals(snapshot, out)
        return out

    def _is_idle(self, snapshot: Snapshot) -> bool:
        """Nothing is to be sent or removed, as after most acknowledgements."""
        for type_url, interest in self._interests.items():
            if interest.doomed or interest.suspects or interest.is_behind(snapshot.of(type_url)):
                return False
        return True

    @property
    def waits_for(self) -> str:
        """What something waits for, empty if nothing waits: the nonce of an answer with clusters,
        or the listeners and routes of a client that reconnects. Envoy withholds the acknowledgement
        while any cluster is warming, so whoever drives the stream calls `release` when waiting for
        the same thing takes too long: a cluster that never warms (a host that does not resolve)
        holds up nothing for good."""
        clusters = self._interests.get(TypeUrl.CLUSTER)
        snapshot = self._snapshot
        if clusters is None or snapshot is None:
            return ""
        if clusters.outstanding is None:
            return "names" if clusters.doomed and self._reconnects else ""
        others = (TypeUrl.LISTENER, TypeUrl.ROUTE)
        is_awaited = (
            clusters.suspects
            or self._is_behind(TypeUrl.CLUSTER, snapshot)
            or (clusters.outstanding.adds and any(self._is_behind(t, snapshot) for t in others))
        )
        return clusters.outstanding.nonce if is_awaited else ""

    def release(self) -> list[Response]:
        """Stop waiting for what `waits_for` tells."""
        clusters = self._interests.get(TypeUrl.CLUSTER)
        if clusters is not None:
            if clusters.outstanding is None:
                self._reconnects = False
            clusters.stop_waiting()
        return self.advance()

    @abstractmethod
    def _subscribe(self, interest: Interest, request: Request, *, first: bool) -> None:
        """Read the request's names into `interest`."""

    @abstractmethod
    def _is_whole(self, type_url: TypeUrl) -> bool:
        """Whether each answer of the type is its whole state."""

    @abstractmethod
    def _build(
        self,
        interest: Interest,
        upserted: tuple[EnvoyResource, ...],
        removed: list[str],
        *,
        nonce: str,
        shared: Change | None,
        due: bool,
    ) -> bytes | None:
        """The answer's bytes; None if the variant has nothing to say. `shared` is the change whose
        `upserted` this is, if it is one that other streams have too; `due`: answer even if
        empty."""

    def _settle(self, interest: Interest, request: Any) -> None:
        answer = interest.answer_with(request.response_nonce)
        if answer is None:
            return
        if not request.HasField("error_detail"):
            interest.accept(answer, whole=self._is_whole(interest.type_url))
            self._reports.acknowledged(interest.type_url)
            return
        interest.reject(answer, divisible=not self._is_whole(interest.type_url))
        message = request.error_detail.message or "rejected without a reason"
        if message not in interest.complaint:
            interest.complaint += message
            self._reports.rejected(interest.type_url, message)

    def _send_newest(self, type_url: TypeUrl, snapshot: Snapshot, out: list[Response]) -> None:
        interest = self._interests.get(type_url)
        if interest is None or interest.outstanding is not None:
            return
        newest = snapshot.of(type_url)
        if interest.is_behind(newest):
            self._send_difference(interest, newest, out)
        if interest.outstanding is None and interest.suspects and (probe := interest.next_probe()):
            self._send(interest, probe, [], out)

    def _send_difference(self, interest: Interest, newest: Named, out: list[Response]) -> None:
        change = self._difference(interest, newest)
        upserted = interest.wanted_of(change.upserted)
        gone = interest.wanted_of(change.gone)
        removed: list[str] = []
        if interest.doomed:
            upserted = interest.spare(upserted)
        if gone:
            removed = self._let_go(interest, gone)
        if interest.owed:
            upserted = self._with_owed(interest, newest, upserted, removed)
        is_start = interest.unanswered and not interest.claimed
        due, interest.unanswered, interest.base = interest.unanswered, False, newest
        if upserted or removed or due:
            interest.probes, interest.complaint = PROBES, ""
            interest.acquit(upserted)
            shared = change if upserted is change.upserted else None
            adds = change.added and interest.type_url is TypeUrl.CLUSTER and not is_start
            self._send(interest, upserted, removed, out, shared=shared, due=due, adds=adds)

    def _difference(self, interest: Interest, newest: Named) -> Change:
        """What leads to `newest`; or, where nothing else is to be sent, what is due again, so that
        proxies whose clusters warm together share that as well."""
        base = interest.base
        again, interest.again = interest.again, ()
        if again and base is newest and not (interest.owed or interest.rejected or interest.doomed):
            return self._changes.again(again, newest)
        interest.owe(
            name
            for name in (each.name for each in again)
            if name in newest and interest.wants(name) and name not in interest.rejected
        )
        if isinstance(base, Known):
            return compare(base, newest)
        return self._changes.between(base, newest)

    def _let_go(self, interest: Interest, gone: tuple[EnvoyResource, ...]) -> list[str]:
        """The names to remove now; the others are removed when nothing refers to them. A whole
        state does not keep what made it be rejected."""
        now = list(gone)
        if interest.type_url in DEFERRED:
            whole = self._is_whole(interest.type_url)
            now = [each for each in gone if whole and each.name in interest.rejected]
            interest.doomed.update((each.name, each) for each in gone if each not in now)
        interest.rejected.difference_update(each.name for each in gone)
        return [each.name for each in now]

    def _with_owed(
        self,
        interest: Interest,
        newest: Named,
        upserted: tuple[EnvoyResource, ...],
        removed: list[str],
    ) -> tuple[EnvoyResource, ...]:
        """`upserted` and what is owed besides; names that do not exist go to `removed`, which is
        how a delta client learns it."""
        owed, interest.owed = interest.owed, {}
        for each in upserted:
            owed.pop(each.name, None)
        found = []
        for name in owed:
            resource = newest.get(name) or interest.doomed.get(name)
            if resource is not None and resource.body:
                found.append(resource)
            elif name not in removed:
                interest.doomed.pop(name, None)
                removed.append(name)
        return (*upserted, *found) if found else upserted

    def _send(
        self,
        interest: Interest,
        upserted: tuple[EnvoyResource, ...],
        removed: list[str],
        out: list[Response],
        *,
        shared: Change | None = None,
        due: bool = False,
        adds: bool = False,
    ) -> None:
        nonce = f"{self._nonces + 1:x}"
        body = self._build(interest, upserted, removed, nonce=nonce, shared=shared, due=due)
        if body is None:
            return
        self._nonces += 1
        answer = Outstanding(nonce, upserted, removed, adds=adds)
        interest.await_answer(answer, whole=self._is_whole(interest.type_url))
        if interest.type_url is TypeUrl.CLUSTER:
            self._warm(upserted)
        self._reports.sent(interest.type_url)
        out.append(Response(interest.type_url, nonce, body))

    def _warm(self, clusters: tuple[EnvoyResource, ...]) -> None:
        """Owe each cluster that was sent its endpoints: an assignment has its cluster's name."""
        endpoints = self._interests.get(TypeUrl.ENDPOINT)
        if endpoints is not None:
            endpoints.again += clusters

    def _waits_for_clusters(self, snapshot: Snapshot) -> bool:
        clusters = self._interests.get(TypeUrl.CLUSTER)
        if clusters is None or clusters.outstanding is None:
            return False
        return clusters.outstanding.adds or clusters.is_behind(snapshot.of(TypeUrl.CLUSTER))

    def _is_behind(self, type_url: TypeUrl, snapshot: Snapshot) -> bool:
        interest = self._interests.get(type_url)
        return interest is not None and interest.is_behind(snapshot.of(type_url))

    def _is_settled(self, type_url: TypeUrl, snapshot: Snapshot) -> bool:
        interest = self._interests.get(type_url)
        if interest is None:
            return not self._reconnects
        return interest.is_settled(snapshot.of(type_url))

    def _send_removals(self, snapshot: Snapshot, out: list[Response]) -> None:
        """Remove what nothing refers to any more: clusters, then what only they referred to."""
        for type_url in (TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.SECRET):
            interest = self._interests.get(type_url)
            if interest is None:
                continue
            if interest.doomed and self._may_remove(interest, snapshot):
                removed = [name for name in interest.doomed if interest.wants(name)]
                interest.doomed = {}
                if removed:
                    self._send(interest, (), removed, out)
            if type_url is TypeUrl.CLUSTER and (interest.doomed or interest.outstanding):
                return

    def _may_remove(self, interest: Interest, snapshot: Snapshot) -> bool:
        return (
            interest.outstanding is None
            and not interest.is_behind(snapshot.of(interest.type_url))
            and self._is_settled(TypeUrl.LISTENER, snapshot)
            and self._is_settled(TypeUrl.ROUTE, snapshot)
        )
