"""A MeshIdentity as proxies see it: whom it selects, and the SPIFFE IDs that its templates give.

    MeshIdentity -> Known --labels of a proxy--> SPIFFE ID

`identities.py` asks these questions of a mesh.
Source: Kuma, docs/madr 073; reference 8.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from kuma.kit.go_template import BadTemplate, Template, parse_template
from kuma.kit.value import value
from kuma.plan.tags import Tags
from kuma.resources import labels as well_known
from kuma.resources.kinds.mesh_identity import MeshIdentitySpec, MeshIdentityStatus
from kuma.resources.kinds.mesh_identity.model import Spire
from kuma.resources.kri import kri_of
from kuma.resources.match import find_spiffe_id_error
from kuma.resources.resource import AnyResource

DEFAULT_TRUST_DOMAIN = "{{ .Mesh }}.{{ .Zone }}.mesh.local"
DEFAULT_PATH = "/workload/{{ .Workload }}"
DEFAULT_KUBERNETES_PATH = "/ns/{{ .Namespace }}/sa/{{ .ServiceAccount }}"

AGENT_TIMEOUT = timedelta(seconds=1)

_FROM_LABELS = {
    "Namespace": well_known.K8S_NAMESPACE,
    "ServiceAccount": well_known.K8S_SERVICE_ACCOUNT,
    "Workload": well_known.WORKLOAD,
}


class NoSpiffeId(Exception):
    """A template that gives no SPIFFE ID; the text says why."""


@value
class Known:
    """A MeshIdentity as proxies see it. `labels` are those of its selector. `is_ready`: proxies have
    it; `is_announced`: proxies may meet it. `agent_timeout`: how long a proxy waits for the SPIRE agent
    that hands out its certificate; None: the control plane does."""

    name: str
    kri: str
    labels: Tags
    trust_domain: str
    path: str
    is_ready: bool
    is_announced: bool
    agent_timeout: timedelta | None = None

    @property
    def is_by_agent(self) -> bool:
        return self.agent_timeout is not None

    def selects(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == text for key, text in self.labels)


def known_identities(resources: Iterable[AnyResource], zone: str) -> tuple[Known, ...]:
    """Most labels first, then by name. One without a selector selects nobody; one whose trust domain
    is none is left out, which its status says."""
    found = [known for each in resources if (known := _known(each, zone)) is not None]
    return tuple(sorted(found, key=lambda known: (-len(known.labels), known.name)))


def _known(resource: AnyResource, zone: str) -> Known | None:
    spec = resource.spec
    if not isinstance(spec, MeshIdentitySpec) or spec.selector is None:
        return None
    if spec.selector.dataplane is None:
        return None
    try:
        trust_domain = trust_domain_of(resource, zone)
    except NoSpiffeId:
        return None
    status = resource.status
    known = status if isinstance(status, MeshIdentityStatus) else MeshIdentityStatus()
    return Known(
        name=resource.name,
        kri=str(kri_of(resource)),
        labels=spec.selector.dataplane.match_labels or (),
        trust_domain=trust_domain,
        path=(spec.spiffe_id.path if spec.spiffe_id is not None else None) or "",
        is_ready=known.is_ready and spec.provider is not None,
        is_announced=known.is_announced,
        agent_timeout=None if spec.spire is None else _timeout(spec.spire),
    )


def _timeout(spire: Spire) -> timedelta:
    return (spire.agent.timeout if spire.agent is not None else None) or AGENT_TIMEOUT


def trust_domain_of(resource: AnyResource, zone: str) -> str:
    """Raises NoSpiffeId."""
    spec = resource.spec
    asked = spec.spiffe_id if isinstance(spec, MeshIdentitySpec) else None
    text = (asked.trust_domain if asked is not None else None) or DEFAULT_TRUST_DOMAIN
    fields = {"Mesh": resource.mesh, "Zone": resource.labels.get(well_known.ZONE) or zone}
    made = _render(text, fields, resource.labels)
    wrong = find_spiffe_id_error(f"spiffe://{made}")
    if "/" in made or wrong:
        raise NoSpiffeId(f'"{made}" is no trust domain: {wrong or "it must not contain a path"}')
    return made


def spiffe_id(known: Known, labels: Mapping[str, str]) -> str:
    """Of a proxy with these labels. Raises NoSpiffeId."""
    fields = {name: labels[key] for name, key in _FROM_LABELS.items() if labels.get(key)}
    fields["TrustDomain"] = known.trust_domain
    try:
        path = _render(_path(known, labels), fields, labels)
    except NoSpiffeId as error:
        raise NoSpiffeId(f'MeshIdentity "{known.name}": {error}') from error
    made = f"spiffe://{known.trust_domain}{path}"
    if wrong := find_spiffe_id_error(made):
        raise NoSpiffeId(f'MeshIdentity "{known.name}": "{made}" is no SPIFFE ID: {wrong}')
    return made


def _path(known: Known, labels: Mapping[str, str]) -> str:
    if known.path:
        return known.path
    is_kubernetes = labels.get(well_known.ENV) == "kubernetes"
    return DEFAULT_KUBERNETES_PATH if is_kubernetes else DEFAULT_PATH


def _render(text: str, fields: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """A field that comes from a label which is not there is told by the label; it is an empty text to
    a template that can ask whether it is there."""
    try:
        template = parse_template(text)
        absent = [each for each in template.fields - {*fields} if each in _FROM_LABELS]
        if not absent or template.is_conditional:
            return template.render({**dict.fromkeys(absent, ""), **fields}, labels)
    except BadTemplate as error:
        raise NoSpiffeId(str(error)) from error
    raise NoSpiffeId(f"label {min(_FROM_LABELS[each] for each in absent)} not found")


def best_match(identities: Iterable[Known], labels: Mapping[str, str]) -> Known | None:
    """The one that a proxy has. `identities` are sorted as `known_identities` does.

    # Differs from Kuma: one that is not ready, or never will be, takes none from a proxy that has
    # another.
    """
    return next((each for each in identities if each.is_ready and each.selects(labels)), None)


def first_selecting(identities: Iterable[Known], labels: Mapping[str, str]) -> Known | None:
    """The one that a proxy has, or will have once it is ready."""
    return next((each for each in identities if each.selects(labels)), None)


def is_from_workload(known: Known, labels: Mapping[str, str]) -> bool:
    """Whether the label kuma.io/workload decides about the SPIFFE ID."""
    template = parse_template(_path(known, labels))
    return "Workload" in template.fields or well_known.WORKLOAD in template.labels


def deciding_labels(known: Known) -> set[str]:
    """Labels that decide whether a proxy has it, and who the proxy then is."""
    template = _template(known.path)
    found = {key for key, _ in known.labels} | template.labels
    found |= {_FROM_LABELS[each] for each in template.fields & {*_FROM_LABELS}}
    return found if known.path else found | {*_FROM_LABELS.values(), well_known.ENV}


def _template(text: str) -> Template:
    try:
        return parse_template(text)
    except BadTemplate:
        return Template(())


def announced_ids(identities: Iterable[Known], labels: Mapping[str, str]) -> tuple[str, ...]:
    """Of every MeshIdentity that selects a proxy, not only of the one that counts: what it has
    changes later, or earlier, than others hear of it."""
    found: set[str] = set()
    for known in identities:
        if known.is_announced and known.selects(labels):
            try:
                found.add(spiffe_id(known, labels))
            except NoSpiffeId:
                continue
    return tuple(sorted(found))
