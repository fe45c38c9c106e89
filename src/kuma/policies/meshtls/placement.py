"""Where the terms of TLS go in a plan: they are part of its structure, not of its slots."""

from kuma.policies.meshtls import KIND
from kuma.policies.meshtls.inbound import build_terms
from kuma.policies.meshtls.model import TlsConf
from kuma.resolve.placement import Placement

PLACEMENT = Placement(
    kind=KIND,
    conf=TlsConf,
    tls=build_terms,
)
