"""A plan prints as people read it."""

from dataclasses import replace
from datetime import timedelta

from kuma.plan.endpoint import Endpoint
from kuma.plan.print import as_plain
from kuma.plan.proxy import Resolved
from kuma.plan.secret import SecretBytes
from kuma.plan.tls import ExternalTls
from kuma.policies.meshtimeout.model import TimeoutConf
from tests.envoy.plans import a_destination, a_tcp_outbound, conf


def test_defaults_are_left_out_and_kinds_are_named() -> None:
    assert as_plain(a_tcp_outbound(("v1", 1))) == {
        "address": "127.0.0.1",
        "port": 10001,
        "service": "backend",
        "tags": {"kuma.io/service": "backend"},
        "protocol": "tcp",
        "routing": {"kind": "TcpRouting", "split": [{"destination": "v1", "weight": 1}]},
    }


def test_secrets_are_redacted_and_certificates_are_text() -> None:
    tls = ExternalTls("example.com", ca=b"-----BEGIN", client_key=SecretBytes(b"private"))
    external = replace(a_destination(tls=tls), endpoints=Resolved((Endpoint("example.com", 443),)))
    assert as_plain(external) == {
        "name": "backend",
        "service": "backend",
        "protocol": "http",
        "endpoints": {"kind": "Resolved", "endpoints": [{"address": "example.com", "port": 443}]},
        "tls": {
            "kind": "ExternalTls",
            "serverName": "example.com",
            "ca": "-----BEGIN",
            "clientKey": "<redacted>",
        },
    }


def test_the_configuration_of_policies_is_shown_by_its_type() -> None:
    confs = conf(TimeoutConf(idle_timeout=timedelta(seconds=90)))
    shown = as_plain(a_destination(confs=confs))
    assert shown["conf"] == {"TimeoutConf": {"idleTimeout": "1m30s"}}
