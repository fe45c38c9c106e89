"""Whether a token lets its bearer be the proxy that it says it is.

Everything in a token but its mesh is optional and restricts: a name, values of tags, a workload. A
token without them serves any proxy of its mesh. Checked when a stream starts, at the bootstrap, and
again whenever the Dataplane changes.

Source: https://kuma.io/docs/2.14.x/production/secure-deployment/dp-auth/
"""

from collections.abc import Iterable, Mapping

from kuma.identity.errors import TokenRefused
from kuma.identity.token_validator import TokenValidator
from kuma.identity.tokens import DataplaneIdentity, TagValues
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.labels import WORKLOAD
from kuma.resources.resource import Resource

Dataplane = Resource[DataplaneSpec]


def authenticate_dataplane(
    validator: TokenValidator,
    token: str,
    *,
    dataplane: Dataplane,
    existing: Dataplane | None = None,
    identity_from_workload: bool = False,
) -> None:
    """Raises TokenRefused.

    `existing` is the stored Dataplane of that name: the token must cover it too, or the bearer of a
    narrow token could take over another service's proxy by registering over it.
    `identity_from_workload`: the label kuma.io/workload decides the SPIFFE identity of this proxy.
    """
    if not token:
        raise TokenRefused("a dataplane token is required, see kumactl generate dataplane-token")
    proven = validator.dataplane(token, mesh=dataplane.mesh)
    check_dataplane(proven, dataplane, identity_from_workload=identity_from_workload)
    if existing is not None:
        check_dataplane(proven, existing, identity_from_workload=identity_from_workload)


def check_dataplane(
    proven: DataplaneIdentity, dataplane: Dataplane, *, identity_from_workload: bool = False
) -> None:
    """Raises TokenRefused if `proven` does not cover `dataplane`."""
    if proven.name and proven.name != dataplane.name:
        raise TokenRefused(
            f'the token is for the dataplane "{proven.name}", not for "{dataplane.name}"'
        )
    if proven.mesh and proven.mesh != dataplane.mesh:
        raise TokenRefused(f'the token is for the mesh "{proven.mesh}", not for "{dataplane.mesh}"')
    _check_tags(proven.tags, dataplane.spec.tag_sets())
    _check_workload(
        proven.workload, dataplane.labels.get(WORKLOAD), required=identity_from_workload
    )


def _check_tags(allowed: TagValues, tag_sets: Iterable[Mapping[str, str]]) -> None:
    """Each tag of the token must be on the dataplane, and every value there must be allowed."""
    carried = {pair for tags in tag_sets for pair in tags.items()}
    for tag, values in allowed:
        found = sorted(text for key, text in carried if key == tag)
        if not found:
            raise TokenRefused(f'the dataplane has no tag "{tag}", which the token requires')
        for text in found:
            if text not in values:
                raise TokenRefused(
                    f'the dataplane has the tag "{tag}" with the value "{text}", which the token '
                    f"does not allow; it allows {_quoted(values)}"
                )


def _check_workload(proven: str, carried: str | None, *, required: bool) -> None:
    if not proven:
        if carried is not None and required:
            raise TokenRefused(
                f'the dataplane gets its identity from its label {WORKLOAD} "{carried}", so its '
                "token must be bound to that workload"
            )
        return
    if carried is None:
        raise TokenRefused(f"the dataplane has no label {WORKLOAD}, which the token requires")
    if proven != carried:
        raise TokenRefused(f'the token is for the workload "{proven}", not for "{carried}"')


def authenticate_zone_proxy(
    validator: TokenValidator, token: str, *, scope: str, zone: str
) -> None:
    """For a zone ingress or egress of `zone`; `scope` is "ingress" or "egress". Raises TokenRefused."""
    if not token:
        raise TokenRefused("a zone token is required, see kumactl generate zone-token")
    proven = validator.zone(token)
    if scope not in proven.scope:
        raise TokenRefused(
            f"the token is not for a zone {scope}, its scope is {_quoted(proven.scope) or 'empty'}"
        )
    if proven.zone and proven.zone != zone:
        raise TokenRefused(f'the token is for the zone "{proven.zone}", not for "{zone}"')


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f'"{each}"' for each in values)
