"""A proxy as the policies of its destinations see it: those that apply to it, and what they ask of it.

Proxies that are one client share all that they send.
"""

from dataclasses import replace

from kuma.kit.derived import derived
from kuma.kit.value import value
from kuma.plan.logged import LoggedAs
from kuma.plan.tags import Tags, as_tags
from kuma.plan.tls import Secrets, TlsParameters
from kuma.resolve.client_tags import client_tags
from kuma.resolve.logged import logged_as
from kuma.resolve.match import matched_policies
from kuma.resolve.rules import inbound_rules, named_policies, placement_of
from kuma.resolve.secrets import secrets_of
from kuma.resolve.subject import Subject
from kuma.resolve.view import MeshView
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.resource import Resource


@value
class Client:
    """A proxy as the policies of destinations see it: for each kind, those that apply to it, and of
    its tags those that they ask for. `logged` is who it is, if one of them has to tell; `tls`: on
    which terms it begins mutual TLS; `shown`: the tags that it sends along; `secrets`: where its
    certificate is, if that is one of a MeshIdentity."""

    policies: tuple[tuple[str, tuple[str, ...]], ...]
    tags: Tags = ()
    logged: LoggedAs | None = None
    tls: TlsParameters = TlsParameters()
    shown: Tags = ()
    secrets: Secrets | None = None

    def names(self, kind: str) -> tuple[str, ...]:
        return dict(self.policies).get(kind, ())


@derived
def client_of(view: MeshView, subject: Subject) -> Client:
    kinds = [each.name for each in view.placements if each.kind.policy and each.kind.policy.has_to]
    found = [(kind, matched_policies(view, kind, subject).names) for kind in kinds]
    return Client(
        policies=tuple((kind, policies) for kind, policies in found if policies),
        tls=_tls_parameters(view, subject),
    )


def _tls_parameters(view: MeshView, subject: Subject) -> TlsParameters:
    """Versions and ciphers are for proxies as a whole, so any of its inbounds says the same.

    # Differs from Kuma: a gateway, which has no inbounds, has them as well.
    """
    found = TlsParameters()
    for placement in view.placements:
        if placement.tls is not None:
            policies = matched_policies(view, placement.name, subject).names
            if policies:
                found = placement.tls(inbound_rules(view, placement.name, policies)).parameters
    return found


def with_asked_tags(view: MeshView, client: Client, dataplane: Resource[DataplaneSpec]) -> Client:
    """Labels stand in for tags that are not there. Of several values of a tag the least is taken."""
    if _tells_proxy(view, client):
        client = replace(client, logged=logged_as(view, dataplane.name))
    if shown := client_tags(view, dataplane.spec):
        client = replace(client, shown=shown)
    if secrets := secrets_of(view, dataplane.labels):
        client = replace(client, secrets=secrets)
    keys = _asked_tags(view, client)
    if not keys:
        return client
    found: dict[str, str] = {}
    for key in keys:
        values = [tags[key] for tags in dataplane.spec.tag_sets() if key in tags]
        if values or key in dataplane.labels:
            found[key] = min(values) if values else dataplane.labels[key]
    return replace(client, tags=as_tags(found))


@derived
def _tells_proxy(view: MeshView, client: Client) -> bool:
    return any(
        getattr(policy.spec, "to", None)
        for kind, policies in client.policies
        if placement_of(view, kind).tells_proxy
        for policy in named_policies(view, kind, policies)
    )


@derived
def _asked_tags(view: MeshView, client: Client) -> frozenset[str]:
    return frozenset(
        tag
        for kind, policies in client.policies
        if (asked := placement_of(view, kind).asked_tags) is not None
        for policy in named_policies(view, kind, policies)
        for item in getattr(policy.spec, "to", None) or ()
        for tag in asked(item.default)
    )
