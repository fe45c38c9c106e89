"""Metrics as text: read, chosen, merged, labelled, written; and turned into OTLP."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma.dataplane.dynamic_config import DynamicConfig
from kuma.dataplane.http import Unix, exchange
from kuma.dataplane.log import Level, Log, text_format
from kuma.dataplane.metrics.export import build_request
from kuma.dataplane.metrics.exposition import Malformed, merge, parse, parse_labels, write
from kuma.dataplane.metrics.selection import parse_selection
from kuma.dataplane.metrics.server import MetricsServer
from kuma.dataplane.metrics.wanted import PATH, parse_wanted


def rewritten(text: str, labels: dict[str, str] | None = None, *, is_open: bool = False) -> str:
    return write(parse(text, is_open=is_open), labels or {})


def test_values_stay_as_they_are_written() -> None:
    text = '# HELP a What.\n# TYPE a counter\na{b="c"} 1.50e+3 1700000000000\na NaN\n'
    assert rewritten(text) == text


def test_parts_of_histograms_and_summaries_belong_to_one_family() -> None:
    text = (
        '# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum 2\nh_count 1\n'
        '# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 2\ns_count 1\n'
    )
    assert list(parse(text)) == ["h", "s"]
    assert rewritten(text) == text


def test_what_has_no_type_is_untyped() -> None:
    assert rewritten("a_total 1\n") == "# TYPE a_total untyped\na_total 1\n"


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("", '{mesh="m",zone="z"}'),
        ('{a="b"}', '{mesh="m",zone="z",a="b"}'),
        ('{a="b",zone="own",}', '{mesh="m",zone="z",a="b"}'),
        ('{a="zone=\\"x\\"} #,"}', '{mesh="m",zone="z",a="zone=\\"x\\"} #,"}'),
        ('{ "http.method" = "GET" }', '{mesh="m",zone="z",http_method="GET"}'),
    ],
)
def test_labels_are_added_and_go_before_those_of_the_same_name(own: str, expected: str) -> None:
    text = rewritten(f"a{own} 1\n", {"zone": "z", "mesh": "m"})
    assert (
        text.splitlines()[1].replace('"http.method" = "GET"', 'http_method="GET"')
        == f"a{expected} 1"
    )


@given(st.text())
def test_any_value_of_a_label_comes_back(value: str) -> None:
    text = rewritten("a 1\n", {"x": value})
    [sample] = parse(text)["a"].samples if "\r" not in value else [None]
    if sample is not None:
        assert parse_labels(sample.labels) == {"x": value}


def test_open_metrics_become_the_text_format() -> None:
    text = (
        '# TYPE jobs counter\n# UNIT jobs jobs\njobs_total 5 1.5 # {id="a"} 1\njobs_created 1\n'
        '# TYPE build info\nbuild_info{v="1"} 1\n# EOF\nafter 1\n'
    )
    assert rewritten(text, is_open=True) == (
        "# TYPE jobs_total counter\njobs_total 5 1500\n"
        '# TYPE build_info gauge\nbuild_info{v="1"} 1\n'
    )


def test_names_in_quotes_are_written_as_older_readers_know_them() -> None:
    text = '# TYPE "http.duration" gauge\n{"http.duration",a="b"} 1\n'
    assert rewritten(text) == '# TYPE http_duration gauge\nhttp_duration{a="b"} 1\n'


@pytest.mark.parametrize(
    "text", ["<html>", "a", "a{b=c} 1", 'a{b="c"d="e"} 1', "a one", 'a{b="c} 1', "a 1 2 3"]
)
def test_what_is_no_exposition_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        parse(text)


@given(st.text(alphabet='a{}=",\\ 1#\n'))
def test_no_text_takes_long_or_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(Malformed):
        rewritten(text)


def test_the_first_of_series_alike_counts() -> None:
    made, left_out = merge(
        (
            parse('# TYPE a counter\na{x="1"} 1\n'),
            parse('# TYPE a counter\na{x="1"} 2\na{x="2"} 3\n'),
            parse('# TYPE a gauge\na{x="4"} 2\n'),
        )
    )
    assert write(made, {}) == '# TYPE a counter\na{x="1"} 1\na{x="2"} 3\n'
    assert left_out == 2


@pytest.mark.parametrize(
    ("profiles", "chosen"),
    [
        ({}, {"envoy_cluster_upstream_rq", "envoy_server_live"}),
        ({"appendProfiles": []}, {"envoy_cluster_upstream_rq", "envoy_server_live"}),
        ({"appendProfiles": [{"name": "None"}]}, set()),
        (
            {"appendProfiles": [{"name": "None"}, {"name": "All"}]},
            {"envoy_cluster_upstream_rq", "envoy_server_live", "envoy_other"},
        ),
        (
            {
                "exclude": [{"type": "Contains", "match": "_"}],
                "include": [{"type": "Regex", "match": "r.$"}],
            },
            {"envoy_other"},
        ),
        (
            {"exclude": [{"type": "Exact", "match": "envoy_server_live"}]},
            {"envoy_cluster_upstream_rq"},
        ),
    ],
)
def test_profiles_choose_families(profiles: dict[str, object], chosen: set[str]) -> None:
    if "include" in profiles:
        profiles = {**profiles, "include": [{"type": "Regex", "match": "other$"}]}
    names = {"envoy_cluster_upstream_rq", "envoy_server_live", "envoy_other"}
    assert {name for name in names if parse_selection(profiles).has(name)} == chosen


@pytest.mark.parametrize(
    "name", ["system_ads", "_kuma_metrics_hijacker", "ads_cluster", "kuma_envoy_admin"]
)
def test_basic_hides_envoys_own_traffic(name: str) -> None:
    label = f'a="b",envoy_cluster_name="{name}"'
    assert not parse_selection({}).has_series(label)
    assert parse_selection({"appendProfiles": [{"name": "All"}]}).has_series(label)
    assert parse_selection({}).has_series('envoy_cluster_name="ads_cluster_of_mine"')


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"observability": {"metrics": {"applications": [{}]}}}']
)
def test_what_is_no_wish_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_wanted(text.encode())


def test_summaries_and_gauges_in_otlp() -> None:
    text = (
        '# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 2\ns_count 3\nfree{otel_scope_name="lib"} 4\n'
    )
    [resource] = build_request(parse(text), {"service": "web"}, now=5).resource_metrics
    assert resource.resource.attributes[0].value.string_value == "web"
    scopes = {
        each.instrumentation_library.name: {m.name: m.WhichOneof("data") for m in each.metrics}
        for each in resource.instrumentation_library_metrics
    }
    assert scopes == {
        "kuma": {"s": "gauge", "s_sum": "sum", "s_count": "sum"},
        "lib": {"free": "gauge"},
    }


def a_log() -> Log:
    return Log("test", Level.ERROR, lambda _: None, text_format)


async def test_without_envoys_socket_nothing_is_to_be_measured(tmp_path: Path) -> None:
    assert await DynamicConfig(tmp_path / "no.sock", PATH, parse_wanted, a_log()).current() is None


async def test_an_answer_that_cannot_be_read_leaves_what_was_known(tmp_path: Path) -> None:
    answers = iter(
        [
            b'{"observability": {"metrics": {"extraLabels": {"a": "b"}}}}',
            b"nonsense",
        ]
    )

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = next(answers)
        writer.write(b"HTTP/1.1 200 OK\r\netag: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    socket = tmp_path / "s.sock"
    async with await asyncio.start_unix_server(serve, socket):
        config = DynamicConfig(socket, PATH, parse_wanted, a_log())
        first = await config.current()
        assert first is not None
        assert first.labels == {"a": "b"}
        assert await config.current() is first
    assert await config.current() is None  # nobody is there any more


async def test_the_server_serves_metrics_alone(tmp_path: Path) -> None:
    asked: list[tuple[float, str]] = []

    async def collect(seconds: float, query: str) -> str | None:
        asked.append((seconds, query))
        return "a 1\n" if len(asked) == 1 else None

    server = MetricsServer(tmp_path / "m.sock", collect)
    await server.start()
    try:
        at = Unix(tmp_path / "m.sock")
        header = {"X-Prometheus-Scrape-Timeout-Seconds": "3"}
        answer = await exchange(at, "GET", "/meshmetric?x=y", headers=header)
        assert (answer.status, answer.body) == (200, b"a 1\n")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert (await exchange(at, "GET", "/meshmetric")).status == 503
        assert (await exchange(at, "GET", "/else")).status == 404
    finally:
        server.close()
    assert asked == [(2.5, "x=y"), (10.0, "")]
    assert not (tmp_path / "m.sock").exists()


async def test_an_answer_without_a_body_ends_although_the_connection_does_not(
    tmp_path: Path,
) -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        await reader.read()
        writer.close()
        await writer.wait_closed()
        ended.set()

    socket = tmp_path / "s.sock"
    async with await asyncio.start_unix_server(serve, socket):
        assert (await exchange(Unix(socket), "GET", "/otel", seconds=5)).status == 304
        await ended.wait()
