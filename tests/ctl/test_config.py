"""The configuration file: Kuma's format, written whole and for the user's eyes only."""

from pathlib import Path

import pytest

from kuma.app.ctl.configuration import (
    ApiServer,
    Configuration,
    Context,
    ControlPlane,
    load_configuration,
    save_configuration,
)
from tests.ctl.cli import Shell

WRITTEN_BY_KUMA = """\
contexts:
- controlPlane: local
  name: local
- controlPlane: prod
  defaults:
    mesh: payments
  name: prod
controlPlanes:
- coordinates:
    apiServer:
      url: http://localhost:5681
  name: local
- coordinates:
    apiServer:
      authConf:
        token: abc
      authType: tokens
      caCertFile: /ca.pem
      clientCertFile: /client.pem
      clientKeyFile: /client.key
      headers:
      - key: a
        value: b
      skipVerify: true
      url: https://mesh.example.com:5682
  name: prod
currentContext: prod
"""
READ = Configuration(
    control_planes=(
        ControlPlane("local", ApiServer("http://localhost:5681")),
        ControlPlane(
            "prod",
            ApiServer(
                "https://mesh.example.com:5682",
                ca_cert_file="/ca.pem",
                client_cert_file="/client.pem",
                client_key_file="/client.key",
                skip_verify=True,
                headers=(("a", "b"),),
                auth_type="tokens",
                auth_conf=(("token", "abc"),),
            ),
        ),
    ),
    contexts=(Context("local", "local"), Context("prod", "prod", mesh="payments")),
    current="prod",
)
ADD = ("config", "control-planes", "add", "--skip-check")


def write(shell: Shell, text: str) -> None:
    shell.file.parent.mkdir(exist_ok=True)
    shell.file.write_text(text)


def test_kumas_file_is_read_and_written_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(WRITTEN_BY_KUMA)
    assert load_configuration(file) == READ
    save_configuration(file, READ)
    assert file.read_text() == WRITTEN_BY_KUMA


def test_keys_may_be_in_snake_case(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(
        "control_planes: [{name: a, coordinates: {api_server: {url: 'http://a', skip_verify: true}}}]"
    )
    assert load_configuration(file).control_planes == (
        ControlPlane("a", ApiServer("http://a", skip_verify=True)),
    )


def test_the_file_is_for_its_owner_and_nothing_is_left_beside_it(shell: Shell) -> None:
    shell.out(*ADD, "--name=a", "--address=http://a")
    assert shell.file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in shell.file.parent.iterdir()] == ["config"]


def test_a_linked_file_stays_linked(shell: Shell, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    shell.file.parent.mkdir()
    shell.file.symlink_to(target)
    shell.out(*ADD, "--name=a", "--address=http://a")
    assert shell.file.is_symlink()
    assert load_configuration(target).current == "a"


def test_without_a_file_there_is_the_local_control_plane_and_none_is_written(shell: Shell) -> None:
    assert shell.out("config", "view") == (
        "contexts:\n- controlPlane: local\n  name: local\ncontrolPlanes:\n- coordinates:\n"
        "    apiServer:\n      url: http://localhost:5681\n  name: local\ncurrentContext: local\n"
    )
    assert not shell.file.exists()


def test_added_switched_listed_and_removed(shell: Shell) -> None:
    assert shell.out(*ADD, "--name=a", "--address=http://a") == (
        'added Control Plane "a"\nswitched active Control Plane to "a"\n'
    )
    assert shell.out("config", "control-planes", "list") == (
        "ACTIVE   NAME    ADDRESS\n"
        "         local   http://localhost:5681\n"
        "*        a       http://a\n"
    )
    assert shell.out("config", "control-planes", "switch", "--name", "local") == (
        'switched active Control Plane to "local"\n'
    )
    assert shell.out("config", "control-planes", "remove", "--name", "local") == (
        'removed Control Plane "local"\nswitched active Control Plane to "a"\n'
    )
    assert shell.out("config", "control-planes", "remove", "--name", "a").endswith(
        "there is no active Control Plane left. Use `kumactl config control-planes add` "
        "to add a Control Plane and make it active\n"
    )


def test_what_is_given_is_remembered(shell: Shell) -> None:
    shell.out(
        *ADD, "--name=prod", "--address", "https://mesh.example.com:5682", "--headers=a=b",
        "--auth-type", "tokens", "--auth-conf", "token=abc=", "--skip-verify",
    )  # fmt: skip
    assert load_configuration(shell.file).find_control_plane("prod") == ControlPlane(
        "prod",
        ApiServer(
            "https://mesh.example.com:5682",
            skip_verify=True,
            headers=(("a", "b"),),
            auth_type="tokens",
            auth_conf=(("token", "abc="),),
        ),
    )


def test_the_same_name_needs_overwrite(shell: Shell) -> None:
    refused = shell.run(*ADD, "--name=local", "--address=http://a")
    assert refused.problem == (
        'Control Plane with name "local" already exists. Use --overwrite to replace an existing one.'
    )
    shell.out(*ADD, "--name=local", "--address=http://a", "--overwrite")
    assert load_configuration(shell.file).control_planes == (
        ControlPlane("local", ApiServer("http://a")),
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["--address=localhost:5681"],
            '"localhost:5681" is not a URL such as http://localhost:5681',
        ),
        (["--address=http://a:x"], '"http://a:x" is not a URL: '),
        (["--auth-type=tokens"], "--auth-conf is not valid: provide token=YOUR_TOKEN"),
        (["--auth-type=x"], 'authentication type "x" is not known, only "tokens" is'),
        (
            ["--client-cert-file=x"],
            "both --client-cert-file and --client-key-file need to be given",
        ),
        (["--headers=x"], '--headers: "x" must be formatted as key=value'),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], problem: str, shell: Shell) -> None:
    refused = shell.run(*ADD, "--name=a", "--address=http://a", *arguments)
    assert refused.problem.startswith(problem)
    assert not shell.file.exists()


def test_an_unknown_control_plane_is_answered_with_the_nearest(shell: Shell) -> None:
    refused = shell.run("config", "control-planes", "switch", "--name=locl")
    assert refused.problem == ('there is no Control Plane with name "locl", did you mean "local"?')


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "line 2, column 1: "),
        ("[]", "the file: must be an object"),
        ("contexts: 3", "contexts: must be a list"),
        ("contexts: [3]", "contexts[0]: must be an object"),
        (
            "controlPlanes: [{coordinates: {apiServer: {skipVerify: 1}}}]",
            "controlPlanes[0].coordinates.apiServer.skipVerify: must be true or false",
        ),
        ("currentContext: 3", "currentContext: must be a string"),
    ],
)
def test_a_broken_file_is_told_with_the_place(text: str, problem: str, shell: Shell) -> None:
    write(shell, text)
    refused = shell.run("config", "view")
    assert refused.problem.startswith(f"configuration file {shell.file}: {problem}")


def test_nothing_is_changed_without_a_configuration(shell: Shell) -> None:
    refused = shell.run("--no-config", *ADD, "--name=a", "--address=http://a")
    assert refused.problem == "--no-config: there is no configuration file to change"


def test_an_unknown_context_is_answered_with_those_that_are(shell: Shell) -> None:
    write(shell, WRITTEN_BY_KUMA)
    refused = shell.run("get", "meshes", "--context", "x")
    assert refused.problem == 'there is no context "x", there are: local, prod'
