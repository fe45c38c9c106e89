"""Flags over variables over defaults, and that the table agrees with the settings it stands for."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kuma.app.data_plane.flags import (
    FLAGS,
    Values,
    click_options,
    unknown_variables,
)
from kuma.app.data_plane.run_options import build_options
from kuma.config.data_plane import DataPlaneSettings
from kuma.config.section import settings_of
from kuma.dataplane.errors import DataPlaneError
from kuma.dataplane.log import Level, Log
from kuma.dataplane.options import RunOptions
from kuma.kit.go_flags import parse_pairs, with_boolean_values

NO_SETTING = {"transparentProxy", "transparentProxyConfig"}
"""Flags of Kuma's that no setting stands for."""


def options_of(*arguments: str, **environment: str) -> RunOptions:
    return build_options(parse(arguments, environment), {}, log=SILENT)


def parse(arguments: Sequence[str], environment: dict[str, str]) -> Values:
    booleans = [flag.name for flag in FLAGS if flag.is_boolean]
    command = click.Command("run", params=click_options())
    context = command.make_context("run", with_boolean_values(arguments, booleans))
    return Values(context.params, environment)


SILENT = Log(write=lambda _line: None)
NAMED = ("--name=redis", "--mesh=default")


def test_the_table_agrees_with_the_settings() -> None:
    declared = {each.key: each for each in settings_of(DataPlaneSettings)}
    table = {flag.key: flag for flag in FLAGS if flag.key not in NO_SETTING}
    assert set(table) == set(declared)
    for key, flag in table.items():
        if flag.variable:
            assert flag.variable in declared[key].variables, key
        assert flag.default == (declared[key].default or type(flag.default)()), key


def test_a_flag_wins_over_a_variable_and_that_over_the_default() -> None:
    variables = {"KUMA_DATAPLANE_DRAIN_TIME": "20s"}
    assert options_of(*NAMED).envoy.drain_time == timedelta(seconds=30)
    assert options_of(*NAMED, **variables).envoy.drain_time == timedelta(seconds=20)
    given = options_of(*NAMED, "--drain-time", "1m", **variables)
    assert given.envoy.drain_time == timedelta(minutes=1)


def test_booleans_are_as_in_go() -> None:
    assert parse(["--skip-verify"], {})["controlPlane.tlsSkipVerify"] is True
    assert parse(["--dns-enabled=false"], {})["dns.enabled"] is False
    assert (
        parse(["--skip-verify=false"], {"KUMA_CONTROL_PLANE_TLS_SKIP_VERIFY": "true"})[
            "controlPlane.tlsSkipVerify"
        ]
        is False
    )


def test_variables_are_read_in_any_case_and_empty_ones_not_at_all() -> None:
    values = parse([], {"kuma_readiness_port": "1234", "KUMA_DATAPLANE_DRAIN_TIME": ""})
    assert values["dataplane.readinessPort"] == 1234
    assert values["dataplane.drainTime"] == timedelta(seconds=30)


def test_a_variable_that_cannot_be_read_is_named() -> None:
    with pytest.raises(click.UsageError, match="KUMA_READINESS_PORT: 0 is not in the range"):
        pytest.fail(str(parse([], {"KUMA_READINESS_PORT": "0"})))


def test_pairs_are_as_in_go() -> None:
    assert parse_pairs(["a=1", "b=2,c=3", "d=x,y"]) == {"a": "1", "b": "2", "c": "3", "d": "x,y"}
    with pytest.raises(ValueError, match='"a" must be formatted as key=value'):
        parse_pairs(["a"])


def test_incremental_xds_is_the_default() -> None:
    assert "feature-delta-grpc" in options_of(*NAMED).features.advertised
    variant = "KUMA_DATAPLANE_RUNTIME_ENVOY_XDS_TRANSPORT_PROTOCOL_VARIANT"
    chosen = options_of(*NAMED, **{variant: "GRPC"})
    assert "feature-delta-grpc" not in chosen.features.advertised


def test_old_names_of_the_work_dir_still_work() -> None:
    assert options_of(*NAMED, "--config-dir=/old").envoy.work_dir == Path("/old")
    both = options_of(*NAMED, "--config-dir=/old", "--work-dir=/new")
    assert both.envoy.work_dir == Path("/new")


def test_envoy_logs_as_kuma_dp_does_unless_told() -> None:
    log = Log(level=Level.DEBUG, write=lambda _line: None)
    inherited = build_options(parse(NAMED, {}), {}, log=log)
    assert inherited.envoy.log_level == "debug"
    assert options_of(*NAMED, "--envoy-log-level=trace").envoy.log_level == "trace"


def test_what_does_nothing_is_said_once() -> None:
    lines: list[str] = []
    values = parse([*NAMED, "--dns-coredns-port=53"], {})
    build_options(values, {}, log=Log(write=lines.append))
    assert [line.partition("] ")[2] for line in lines] == [
        'a setting does nothing [kuma-dp] setting=--dns-coredns-port reason="is not available yet: DNS"',
        "DNS is not available yet: goes without (--dns-enabled=false says so) [kuma-dp]",
    ]


def test_an_unknown_variable_is_named_with_the_nearest() -> None:
    assert unknown_variables({"KUMA_READINESS_PORT": "1", "PATH": "x"}) == ()
    [warning] = unknown_variables({"KUMA_READINES_PORT": "1"})
    assert warning == "unknown variable KUMA_READINES_PORT, did you mean KUMA_READINESS_PORT?"
    assert unknown_variables({"KUMA_STORE_TYPE": "memory"}) == (), "it is the control plane's"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--name and --mesh must be given"),
        (["--name=x"], "--mesh must be given"),
        ([*NAMED, "--drain-time=0s"], "dataplane.drainTime must be a positive duration"),
        ([*NAMED, "--envoy-log-level=loud"], '--envoy-log-level "loud" must be one of: trace,'),
        ([*NAMED, "-v", "x"], '--dataplane-var: "x" must be formatted as key=value'),
        ([*NAMED, "--ca-cert-file=/nowhere"], "--ca-cert-file /nowhere: cannot be read"),
        ([*NAMED, "--transparent-proxy-config=x"], "is not available yet"),
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(DataPlaneError) as caught:
        options_of(*arguments)
    assert said in str(caught.value)


def test_a_zone_proxy_needs_no_mesh() -> None:
    assert options_of("--proxy-type=ingress", "--name=in").mesh == ""


def test_help_shows_variables_and_examples() -> None:
    from kuma.app.data_plane.main import kuma_dp

    shown = CliRunner().invoke(kuma_dp, ["run", "--help"]).output
    assert "[KUMA_DATAPLANE_NAME]" in shown
    assert "kuma-dp run --mesh=default --name=redis" in shown
