"""The state-of-the-world variant: each request names all that is wanted; clusters and listeners are
answered with all there are, other types with what changed or is newly wanted.

Source: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#how-the-client-specifies-what-resources-to-return
"""

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest

from kuma.envoy.snapshot import NOTHING, EnvoyResource, TypeUrl
from kuma.xds import wire
from kuma.xds.changes import Change
from kuma.xds.interest import EVERYTHING, Interest
from kuma.xds.stream import LEGACY_WILDCARD, AdsStream


class StateStream(AdsStream[DiscoveryRequest]):
    def _subscribe(self, interest: Interest, request: DiscoveryRequest, *, first: bool) -> None:
        """A request with a stale nonce is one that was sent before the client saw the latest
        answer; it will send another, so this one does not count."""
        if not first and request.response_nonce not in {"", interest.last_nonce}:
            return
        names = set(request.resource_names)
        interest.named = interest.named or bool(names)
        everything = EVERYTHING in names or (
            not interest.named and interest.type_url in LEGACY_WILDCARD
        )
        names.discard(EVERYTHING)
        if everything and not interest.wildcard:
            interest.base = NOTHING
            interest.unanswered = True
            interest.claimed = request.version_info if first else ""
        elif not everything:
            interest.owe(names - interest.names)
            if interest.owed:
                interest.owed = {name: None for name in interest.owed if name in names}
            if interest.rejected:
                interest.rejected &= names
        interest.wildcard, interest.names = everything, names

    def _is_whole(self, type_url: TypeUrl) -> bool:
        return type_url in LEGACY_WILDCARD

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
        """The types that are answered in part have no way to say that something is gone: what
        refers to it says it."""
        resources = upserted
        if self._is_whole(interest.type_url):
            resources = interest.wanted_of((*interest.base.values(), *interest.doomed.values()))
        elif not upserted and not due:
            return None
        version = wire.version_of(resources)
        claimed, interest.claimed = interest.claimed, ""
        if claimed == version:
            return None
        return wire.state_response(
            interest.type_url,
            wire.state_entries(resources),
            version=version,
            nonce=nonce,
            tail=self._tail,
        )
