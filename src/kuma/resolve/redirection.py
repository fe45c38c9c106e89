"""Whether, and how, a machine's traffic is redirected into its proxy.

    what the proxy says of itself, else networking.transparentProxying -> Redirection

Source: Kuma, documentation of transparent proxying; reference 11.
"""

from kuma.kit.value import value
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.kinds.dataplane.model import IpFamilyMode
from kuma.resources.kinds.rules import is_ipv6

BIND_OUTBOUNDS = "feature-bind-outbounds"
STRICT_INBOUND_PORTS = "feature-strict-inbound-ports"


@value
class Redirection:
    """The ports to which incoming and outgoing connections are redirected; 0: they are not."""

    inbound_port: int = 15006
    outbound_port: int = 15001
    has_ipv6: bool = True

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions of IP that are redirected."""
        return (4, 6) if self.has_ipv6 else (4,)


@value
class Said:
    """What a proxy says of itself. `features` are those that it advertises; `redirection` None: its
    Dataplane has to tell."""

    features: tuple[str, ...] = ()
    redirection: Redirection | None = None


NOTHING_SAID = Said()


def redirection_of(spec: DataplaneSpec, said: Said) -> Redirection | None:
    """None: applications connect to the proxy's ports."""
    found = said.redirection if said.redirection is not None else _declared(spec)
    if found is None or not (found.inbound_port or found.outbound_port):
        return None
    if not found.has_ipv6 and is_ipv6(spec.networking.address):
        return None
    return found


def _declared(spec: DataplaneSpec) -> Redirection | None:
    declared = spec.networking.transparent_proxying
    if declared is None:
        return None
    return Redirection(
        inbound_port=declared.redirect_port_inbound,
        outbound_port=declared.redirect_port_outbound,
        has_ipv6=declared.ip_family_mode is not IpFamilyMode.IPV4,
    )
