"""A percent sign in a header is one, unless it begins a command that Envoy knows."""

import pytest

from kuma.envoy.headers import set_header


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("100%", "100%%"),
        ("100%%", "100%%"),
        ("%PROTOCOL%", "%PROTOCOL%"),
        ("%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",) * 2,
        ("a %REQ(x-y?z):12% b",) * 2,
        ("%FOO%", "%%FOO%%"),
        ("%REQ%", "%%REQ%%"),
        ("%REQ()%", "%%REQ()%%"),
        ("%PROTOCOL", "%%PROTOCOL"),
        ("%FOO%PROTOCOL%", "%%FOO%PROTOCOL%"),
    ],
)
def test_what_is_no_command_is_text(value: str, written: str) -> None:
    assert set_header("x", value).header.value == written
