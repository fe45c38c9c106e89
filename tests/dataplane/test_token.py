from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kuma.dataplane.errors import BadToken
from kuma.dataplane.token import Token, read_token, take_token_from
from tests.dataplane.control_plane import a_token

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def test_a_token_comes_from_its_file_without_what_surrounds_it(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"\n{a_token()}\n")
    assert read_token("", path, now=NOW) == Token(a_token(), path)


def test_a_value_wins_over_a_file(tmp_path: Path) -> None:
    assert read_token(a_token(), tmp_path / "none", now=NOW) == Token(a_token())


def test_there_may_be_none() -> None:
    assert read_token("", None, now=NOW) is None


def test_a_token_does_not_print() -> None:
    assert a_token() not in repr(Token(a_token()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the token is empty"),
        ("abc", "is not a token"),
        ("e30.e30.c2ln", "is not a token"),
        (f"{a_token()}\n{a_token()}", "no spaces or line breaks"),
        (a_token(expires=NOW), "the token expired at 2026-01-01T00:00:00"),
    ],
)
def test_what_cannot_be_a_token_is_refused(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    with pytest.raises(BadToken, match=said):
        read_token("", path, now=NOW)


def a_bootstrap(service: dict[str, Any]) -> dict[str, Any]:
    cluster = {"name": "ads", "typedExtensionProtocolOptions": {HTTP_OPTIONS: {}}}
    return {
        "dynamicResources": {"adsConfig": {"grpcServices": [service]}},
        "staticResources": {"clusters": [cluster]},
    }


def test_the_token_moves_from_the_metadata_to_a_filter_of_the_cluster() -> None:
    metadata = [{"key": "authorization", "value": "x"}, {"key": "y", "value": "z"}]
    service = {"envoyGrpc": {"clusterName": "ads"}, "initialMetadata": metadata}
    bootstrap = a_bootstrap(service)
    assert take_token_from(bootstrap, Path("/work/secret.json"))
    assert service["initialMetadata"] == [{"key": "y", "value": "z"}]
    options = bootstrap["staticResources"]["clusters"][0]["typedExtensionProtocolOptions"]
    names = [each["name"] for each in options[HTTP_OPTIONS]["httpFilters"]]
    assert names == ["envoy.filters.http.credential_injector", "envoy.filters.http.upstream_codec"]


@pytest.mark.parametrize(
    "service", [{"envoyGrpc": {"clusterName": "ads"}}, {"googleGrpc": {"targetUri": "cp:5678"}}]
)
def test_a_bootstrap_without_the_token_stays(service: dict[str, Any]) -> None:
    bootstrap = a_bootstrap(service)
    assert not take_token_from(bootstrap, Path("/work/secret.json"))
    assert bootstrap == a_bootstrap(service)
