"""The incremental variant: names come and go, answers hold what changed.

Source: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds
"""

from sys import intern

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest

from kuma.envoy.snapshot import NOTHING, EnvoyResource, TypeUrl
from kuma.xds import wire
from kuma.xds.changes import Change
from kuma.xds.interest import EVERYTHING, Interest, Known
from kuma.xds.stream import LEGACY_WILDCARD, AdsStream


class DeltaStream(AdsStream[DeltaDiscoveryRequest]):
    def _subscribe(
        self, interest: Interest, request: DeltaDiscoveryRequest, *, first: bool
    ) -> None:
        """Changes of subscription count whatever the nonce. A name that is asked for again is sent
        again, since the client may have forgotten it; on a new stream it says what it knows. Names
        are held once for all streams."""
        come, leave = request.resource_names_subscribe, request.resource_names_unsubscribe
        if first and request.initial_resource_versions:
            interest.base = Known(
                (name, EnvoyResource(interest.type_url, name, version, b""))
                for name, version in request.initial_resource_versions.items()
            )
        if come:
            self._add(interest, list(map(intern, come)), first=first)
        elif first and not leave and interest.type_url in LEGACY_WILDCARD:
            _ask_for_everything(interest, first=True)
        for name in leave:
            _forget(interest, name)

    def _add(self, interest: Interest, names: list[str], *, first: bool) -> None:
        if EVERYTHING in names:
            names = [name for name in names if name != EVERYTHING]
            if not interest.wildcard:
                _ask_for_everything(interest, first=first)
        interest.names.update(names)
        interest.owe(name for name in names if not (first and name in interest.base))

    def _is_whole(self, type_url: TypeUrl) -> bool:
        return False

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
        entries = shared.delta_entries() if shared else wire.delta_entries(upserted)
        return wire.delta_response(
            interest.type_url, entries, removed, nonce=nonce, tail=self._tail
        )


def _ask_for_everything(interest: Interest, *, first: bool) -> None:
    interest.wildcard = True
    if not first:
        interest.base = NOTHING
    interest.unanswered = not interest.base


def _forget(interest: Interest, name: str) -> None:
    """A name that was asked for besides everything is answered once more, so that the client knows
    whether it is still part of everything."""
    if name == EVERYTHING:
        interest.wildcard = False
        interest.unanswered = False
        interest.doomed.clear()
        interest.rejected.intersection_update(interest.names)
    elif name in interest.names:
        interest.names.discard(name)
        if interest.wildcard:
            interest.owe([name])
            return
        interest.owed.pop(name, None)
        interest.doomed.pop(name, None)
        interest.rejected.discard(name)
