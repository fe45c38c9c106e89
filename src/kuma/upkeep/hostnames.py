"""Writes into the status of each service the names that HostnameGenerators give to it. A job of the
leader.

    changes of the replica -> services with other names -> writer (status.addresses, .hostnameGenerators)

# Differs from Kuma: there all services are looked through every five seconds.
"""

from collections.abc import Iterator
from dataclasses import replace

from kuma.pipeline.hostnames import NAMED_KINDS, Hostnames
from kuma.resources.kinds.hostname_generator import HOSTNAME_GENERATOR
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from kuma.resources.writer import Writer
from kuma.upkeep.agenda import Agenda


class HostnameUpkeep:
    def __init__(self, replica: Replica, writer: Writer, *, zone: str) -> None:
        self._replica = replica
        self._writer = writer
        self._hostnames = Hostnames(zone)

    async def run(self) -> None:
        """Until cancelled."""
        services = dict.fromkeys((kind.name for kind in NAMED_KINDS), self._service_changed)
        touched = {HOSTNAME_GENERATOR.name: self._hostnames.changed, **services}
        await Agenda[ResourceKey]("hostnames").run(self._replica, touched, self._keep)

    def _service_changed(self, change: Change) -> Iterator[ResourceKey]:
        """Somebody else may have written over what this job wrote."""
        yield from self._hostnames.changed(change)
        service = change.resource
        if service is not None and self._with_names(service).status != service.status:
            yield service.key

    async def _keep(self, key: ResourceKey) -> None:
        found = self._replica.find(key)
        if found is None:
            return
        wanted = self._with_names(found)
        if wanted.status != found.status:
            await self._writer.update(wanted)

    def _with_names(self, service: AnyResource) -> AnyResource:
        """A service that never had a status and gets no name stays without."""
        kept = {
            "addresses": self._hostnames.addresses_of(service.key) or None,
            "hostname_generators": self._hostnames.statuses_of(service.key) or None,
        }
        assert service.kind.status is not None  # every kind of service has one
        status = service.status or service.kind.status()
        changed = status.model_copy(update=kept)
        return service if changed == status else replace(service, status=changed)
