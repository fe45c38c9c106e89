"""Which name each HostnameGenerator gives to each service, and who keeps a name that several get.

    HostnameGenerators, MeshServices and their relatives -> status.addresses, status.hostnameGenerators

Kept current change by change: a service touches itself and those that want the same names; a generator
touches all that it selects.
Source: https://kuma.io/docs/2.14.x/networking/hostnamegenerator; reference 7.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from kuma.kit.go_template import BadTemplate, Template
from kuma.kit.value import value
from kuma.resources import labels as well_known
from kuma.resources.admission import spec_as
from kuma.resources.kinds.conditions import Condition, ConditionStatus
from kuma.resources.kinds.hostname_generator import (
    HOSTNAME_GENERATOR,
    HostnameGeneratorSpec,
    ServiceSelector,
    hostname_of,
)
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_multi_zone_service import MESH_MULTI_ZONE_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.kinds.service_status import (
    HostnameGeneratorRef,
    HostnameGeneratorStatus,
    ServiceAddress,
)
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change

NAMED_KINDS = (MESH_SERVICE, MESH_EXTERNAL_SERVICE, MESH_MULTI_ZONE_SERVICE)
_NAMED = frozenset(kind.name for kind in NAMED_KINDS)

Hostname = tuple[str, str]
"""(mesh, name)"""


@value
class Refusal:
    """Why a generator gives a service no name."""

    reason: str


@value
class Generator:
    name: str
    is_of_zone: bool
    created: datetime
    selector: ServiceSelector
    template: Template

    @property
    def order(self) -> tuple[bool, datetime, str]:
        """Who comes first has the say: those of the zone, then the older ones."""
        return not self.is_of_zone, self.created, self.name

    def name_for(self, service: AnyResource, zone: str) -> str | Refusal | None:
        """None: it does not select the service."""
        selector = self.selector.find(service.kind.name)
        if selector is None or not selector.matches(service.labels):
            return None
        try:
            return hostname_of(self.template, service, zone)
        except BadTemplate as error:
            return Refusal(str(error))


def as_generator(resource: AnyResource | None) -> Generator | None:
    """None: it is none that can be read."""
    spec = spec_as(HostnameGeneratorSpec, resource)
    if resource is None or spec is None:
        return None
    try:
        template = spec.parse()
    except BadTemplate:
        return None
    is_of_zone = resource.labels.get(well_known.ORIGIN) == "zone"
    created = resource.meta.creation_time
    return Generator(resource.name, is_of_zone, created, spec.selector, template)


def hostnames_for(
    service: AnyResource, generators: Iterable[AnyResource], zone: str
) -> tuple[str, ...]:
    """The names that generators would give to a service, sorted.

    # Differs from Kuma: a generator whose template does not fit is left out; there it fails the
    whole answer.
    """
    known = (as_generator(each) for each in generators)
    made = (each.name_for(service, zone) for each in known if each is not None)
    return tuple(sorted({each for each in made if isinstance(each, str)}))


class Hostnames:
    """`zone` is that of this control plane."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._generators: dict[str, Generator] = {}
        self._services: dict[ResourceKey, AnyResource] = {}
        self._made: dict[ResourceKey, dict[str, str | Refusal]] = {}
        self._claims: dict[Hostname, set[tuple[str, ResourceKey]]] = defaultdict(set)
        self._owners: dict[Hostname, ResourceKey] = {}

    def changed(self, change: Change) -> set[ResourceKey]:
        """The services that may have other names now. Changes of other kinds touch none."""
        if change.key.kind == HOSTNAME_GENERATOR.name:
            return self._generator_changed(change.key.name, as_generator(change.resource))
        if change.key.kind in _NAMED:
            return self._service_changed(change.key, change.resource)
        return set()

    def addresses_of(self, key: ResourceKey) -> tuple[ServiceAddress, ...]:
        """Sorted by the name of the generator."""
        return tuple(
            ServiceAddress(
                hostname=made,
                origin=HOSTNAME_GENERATOR.name,
                hostname_generator_ref=HostnameGeneratorRef(core_name=generator),
            )
            for generator, made in self._made_for(key)
            if not isinstance(made, Refusal) and self._owners[key.mesh, made] == key
        )

    def statuses_of(self, key: ResourceKey) -> tuple[HostnameGeneratorStatus, ...]:
        """Sorted by the name of the generator."""
        return tuple(
            HostnameGeneratorStatus(
                hostname_generator_ref=HostnameGeneratorRef(core_name=generator),
                conditions=(self._condition(key, made),),
            )
            for generator, made in self._made_for(key)
        )

    def _made_for(self, key: ResourceKey) -> Iterator[tuple[str, str | Refusal]]:
        yield from sorted(self._made.get(key, {}).items(), key=lambda each: each[0])

    def _condition(self, key: ResourceKey, made: str | Refusal) -> Condition:
        """# Differs from Kuma: the message on a collision names the other service, not this one; and
        names collide across the kinds of services, too."""
        if isinstance(made, Refusal):
            return _generated(ConditionStatus.FALSE, "TemplateError", made.reason)
        owner = self._owners[key.mesh, made]
        if owner == key:
            return _generated(ConditionStatus.TRUE, "Generated", "")
        message = f"Hostname collision with {owner.kind}: {owner.name}"
        return _generated(ConditionStatus.FALSE, "Collision", message)

    def _generator_changed(self, name: str, generator: Generator | None) -> set[ResourceKey]:
        if self._generators.get(name) == generator:
            return set()
        if generator is None:
            del self._generators[name]
        else:
            self._generators[name] = generator
        made = {
            key: None if generator is None else generator.name_for(service, self._zone)
            for key, service in self._services.items()
        }
        touched = {key for key, found in made.items() if self._made[key].get(name) != found}
        hostnames = {each for key, found in made.items() for each in self._give(key, name, found)}
        return touched | self._settle(hostnames)

    def _service_changed(self, key: ResourceKey, service: AnyResource | None) -> set[ResourceKey]:
        before = self._services.pop(key, None)
        if service is not None:
            self._services[key] = service
            if before is not None and _is_called_alike(before, service):
                return set()
        hostnames = set[Hostname]()
        self._made.setdefault(key, {})
        for name, generator in self._generators.items():
            found = None if service is None else generator.name_for(service, self._zone)
            hostnames |= self._give(key, name, found)
        if service is None:
            del self._made[key]
        return {key} | self._settle(hostnames)

    def _give(self, key: ResourceKey, generator: str, found: str | Refusal | None) -> set[Hostname]:
        """In place of what the generator gave to the service before. The names that this is about."""
        made, hostnames = self._made[key], set[Hostname]()
        before = made.pop(generator, None)
        if isinstance(before, str):
            self._claims[key.mesh, before].discard((generator, key))
            hostnames.add((key.mesh, before))
        if found is not None:
            made[generator] = found
        if isinstance(found, str):
            self._claims[key.mesh, found].add((generator, key))
            hostnames.add((key.mesh, found))
        return hostnames

    def _settle(self, hostnames: Iterable[Hostname]) -> set[ResourceKey]:
        """Who keeps each of the names; whoever wants one that changed hands is touched."""
        touched = set[ResourceKey]()
        for hostname in hostnames:
            claims = self._claims[hostname]
            before = self._owners.pop(hostname, None)
            if not claims:
                del self._claims[hostname]
                continue
            _, owner = min(claims, key=self._precedence)
            self._owners[hostname] = owner
            if before != owner:
                touched |= {key for _, key in claims}
        return touched

    def _precedence(self, claim: tuple[str, ResourceKey]) -> tuple[object, ...]:
        generator, key = claim
        created = self._services[key].meta.creation_time
        return *self._generators[generator].order, created, key.name, key.kind


def _is_called_alike(one: AnyResource, other: AnyResource) -> bool:
    return one.labels == other.labels and one.meta.creation_time == other.meta.creation_time


def _generated(status: ConditionStatus, reason: str, message: str) -> Condition:
    return Condition(type="Generated", status=status, reason=reason, message=message)
