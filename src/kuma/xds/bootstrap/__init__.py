"""The bootstrap: what a starting kuma-dp asks and Envoy is started with. Served on the port of xDS.

    body --request.py--> BootstrapRequest --facts.py--> ProxyFacts --document.py--> Envoy bootstrap
    endpoint.py ties them together and turns errors into HTTP

Source: Kuma, the bootstrap protocol; both programs work with those of Kuma.
"""

from kuma.xds.bootstrap.document import BootstrapAnswer, build_bootstrap
from kuma.xds.bootstrap.endpoint import BootstrapDeps, bootstrap_endpoint
from kuma.xds.bootstrap.facts import ProxyDirectory, ProxyFacts, ReplicaProxies

__all__ = [
    "BootstrapAnswer",
    "BootstrapDeps",
    "ProxyDirectory",
    "ProxyFacts",
    "ReplicaProxies",
    "bootstrap_endpoint",
    "build_bootstrap",
]
