"""Writes into the status of each service the names that HostnameGenerators give to it. A job of the
leader.

    changes of the replica -> services with other names -> writer (status.addresses, .hostnameGenerators)

# Differs from Kuma: there all services are looked through every five seconds.
"""

from collections.abc import Sequence
from dataclasses import replace

from kuma.app.control_plane.agenda import Agenda
from kuma.pipeline.hostnames import NAMED_KINDS, Hostnames
from kuma.resources.kinds.hostname_generator import HOSTNAME_GENERATOR
from kuma.resources.meta import ResourceKey
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from kuma.resources.writer import Writer

_SERVICES = frozenset(kind.name for kind in NAMED_KINDS)


class HostnameUpkeep:
    def __init__(self, replica: Replica, writer: Writer, *, zone: str) -> None:
        self._replica = replica
        self._writer = writer
        self._hostnames = Hostnames(zone)
        self._agenda = Agenda[ResourceKey]("hostnames")

    async def run(self) -> None:
        """Until cancelled."""
        stop = self._replica.subscribe(self._changed)
        try:
            for kind in (HOSTNAME_GENERATOR, *NAMED_KINDS):
                self._changed([Change(each.key, each) for each in self._replica.list(kind)])
            await self._agenda.run(self._keep)
        finally:
            stop()

    def _changed(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._agenda.add(self._hostnames.changed(change))
            if change.resource is not None and change.key.kind in _SERVICES:
                self._check_status(change.resource)

    def _check_status(self, service: AnyResource) -> None:
        """Somebody else may have written over what this job wrote."""
        if self._with_names(service).status != service.status:
            self._agenda.add([service.key])

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
