"""Operators of access logs: Envoy takes those that are known, and knows no others that are refused."""

import pytest
from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy

from kuma.envoy.message import as_resource, pack
from kuma.envoy.snapshot import EnvoyResource, TypeUrl
from kuma.policies.log_operators import (
    WITH_ARGUMENT,
    WITH_OR_WITHOUT,
    WITHOUT,
    check_operators,
)
from tests.support.envoy_validate import rejections

ARGUMENTS = {"METADATA": "ROUTE:a", "COALESCE": '{"operators":["PROTOCOL"]}', "CEL": "1+1"}


def logging(text: str) -> list[EnvoyResource]:
    """A listener that logs in that format."""
    file = FileAccessLog(path="/dev/null")
    file.log_format.text_format_source.inline_string = text
    proxy = TcpProxy(stat_prefix="a", cluster="ads_cluster")
    proxy.access_log.append(AccessLog(name="file", typed_config=pack(file)))
    listener = Listener(name="l")
    listener.address.socket_address.address = "127.0.0.1"
    listener.filter_chains.add().filters.add(name="tcp", typed_config=pack(proxy))
    return [as_resource(TypeUrl.LISTENER, "l", listener)]


def with_argument(name: str) -> str:
    return f"%{name}({ARGUMENTS.get(name, 'a')})%"


def test_envoy_takes_every_operator_that_is_known() -> None:
    texts = [f"%{name}%" for name in sorted(WITHOUT | WITH_OR_WITHOUT)]
    texts += [with_argument(name) for name in sorted(WITH_ARGUMENT)]
    texts += ["%%", "100%%", "%REQ(:PATH?X):5%", "%START_TIME(%Y-%m)% (%PROTOCOL%)"]
    assert [text for text in texts if check_operators("f", text)] == []
    assert rejections({str(at): logging(text) for at, text in enumerate(texts)}) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *(
            (text, "a % must begin an operator such as %PROTOCOL%, or be %%, a percent sign")
            for text in (
                "%",
                "100% sure",
                "%REQ(",
                "%REQ(A)",
                "%req(A)%",
                "%REQ(A):x%",
                "%REQ(a\nb)%",
            )
        ),
        ("%NOPE%", "there is no operator NOPE"),
        ("%PROTOCOLL%", 'there is no operator PROTOCOLL, did you mean "PROTOCOL"?'),
        ("%REQ%", "the operator REQ needs an argument: %REQ(...)%"),
        ("%REQ()%", "the operator REQ needs an argument: %REQ(...)%"),
        ("%PROTOCOL(a)%", "the operator PROTOCOL takes neither argument nor length"),
        ("%PROTOCOL:5%", "the operator PROTOCOL takes neither argument nor length"),
    ],
)
def test_what_envoy_refuses_is_refused_though_kuma_takes_it(text: str, message: str) -> None:
    assert [each.message for each in check_operators("f", text)] == [message]
    assert rejections({"a": logging(text)}) != {}
