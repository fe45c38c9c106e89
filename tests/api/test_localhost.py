"""Who counts as a program on this machine. The cases are those that Kuma tests as well."""

import pytest
from starlette.datastructures import Headers

from kuma.api.localhost import is_direct_from_localhost

PEER, HOST = "127.0.0.1", "localhost:5681"


def _headers(host: str, origin: str = "", **more: str) -> Headers:
    sent = {"host": host} | ({"origin": origin} if origin else {})
    return Headers(sent | {name.replace("_", "-"): text for name, text in more.items()})


@pytest.mark.parametrize(
    ("peer", "host", "origin"),
    [
        (PEER, HOST, ""),
        ("::1", HOST, ""),
        ("::1", "[::1]", ""),
        ("::ffff:127.0.0.1", HOST, ""),
        ("127.8.8.8", "127.0.0.1", ""),
        (PEER, "localhost", ""),
        (PEER, "localhost.:5681", ""),
        (PEER, HOST, "http://localhost:5681"),
        (PEER, "127.0.0.1:5681", "http://127.0.0.1:5681"),
        (PEER, "LOCALHOST:5681", "http://localhost:5681"),
        (PEER, "localhost:80", "http://localhost"),
        (PEER, "localhost:443", "https://localhost"),
        (PEER, "localhost:5682", "https://localhost:5682"),
        (PEER, "localhost", "http://localhost:80"),
        ("::1", "[::1]:80", "http://[::1]"),
        ("::1", "[::1]", "http://[::1]:80"),
        ("::1", "[0:0:0:0:0:0:0:1]:80", "http://[::1]"),
    ],
)
def test_a_direct_call_from_this_machine_is_recognized(peer: str, host: str, origin: str) -> None:
    assert is_direct_from_localhost(peer, _headers(host, origin))


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_a_browser_may_say_that_the_page_is_ours(site: str) -> None:
    assert is_direct_from_localhost(PEER, _headers(HOST, sec_fetch_site=site))


@pytest.mark.parametrize(
    ("peer", "host", "origin"),
    [
        (None, HOST, ""),
        ("203.0.113.1", HOST, ""),
        ("localhost.example.com", HOST, ""),
        (PEER, "", ""),
        (PEER, "api.example.com", ""),
        (PEER, "localhost.example.com", ""),
        (PEER, "127.0.0.1.nip.io", ""),
        (PEER, "[::1", ""),
        (PEER, "localhost:bad", ""),
        (PEER, "localhost:", ""),
        (PEER, "localhost:0", ""),
        (PEER, "localhost:99999", ""),
        (PEER, "user@localhost", ""),
        (PEER, "localhost/x", ""),
        (PEER, "local\thost", ""),
        (PEER, HOST, "https://evil.com"),
        (PEER, HOST, "http://127.0.0.1:5681"),
        (PEER, HOST, "http://127.0.0.1:3000"),
        (PEER, HOST, "http://localhost"),
        (PEER, "localhost:5682", "https://localhost"),
        (PEER, "localhost", "http://localhost:5681"),
        (PEER, HOST, "null"),
        (PEER, HOST, "not-a-url"),
        (PEER, HOST, "http://localhost:bad"),
        (PEER, HOST, "http://localhost:5681/path"),
        (PEER, HOST, "http://localhost:5681?x=1"),
        (PEER, HOST, "http://user@localhost:5681"),
        (PEER, HOST, "file://localhost:5681"),
    ],
)
def test_anything_else_is_not(peer: str | None, host: str, origin: str) -> None:
    assert not is_direct_from_localhost(peer, _headers(host, origin))


@pytest.mark.parametrize("hop", ["forwarded", "x_forwarded_for", "x_real_ip"])
@pytest.mark.parametrize("text", ["1.2.3.4", "127.0.0.1", ""])
def test_what_a_proxy_passed_on_is_not_local(hop: str, text: str) -> None:
    assert not is_direct_from_localhost(PEER, _headers(HOST, **{hop: text}))


@pytest.mark.parametrize("site", ["cross-site", "same-site", "whatever"])
def test_a_page_of_another_site_is_not_local(site: str) -> None:
    assert not is_direct_from_localhost(PEER, _headers(HOST, sec_fetch_site=site))
