"""Whatever goes wrong is one sentence that says what to do, and exit code 1."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from kuma.identity.signing_keys import USER_FAMILY, signing_key_secret
from kuma.identity.tls_certificate import generate_tls_certificate
from kuma.identity.tokens import UserIdentity
from kuma.plan.secret import SecretBytes
from tests.ctl.cli import Outcome, Shell
from tests.ctl.running_api import RunningApi, a_running_api
from tests.support.builders import NOW

NO_LOCAL_ADMIN = {"apiServer": {"authn": {"localhostIsAdmin": False}}}
USER = UserIdentity("mesh-system:admin", ("mesh-system:admin",))


def add(shell: Shell, url: str, *arguments: str) -> Outcome:
    return shell.run(
        "config", "control-planes", "add", "--name=x", f"--address={url}", "--overwrite", *arguments
    )


@pytest.fixture(scope="module")
def refused_port() -> int:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_control_plane_that_is_not_there(shell: Shell, refused_port: int) -> None:
    url = f"http://localhost:{refused_port}"
    problem = f'control plane "x" at {url} cannot be reached: connection refused'
    assert add(shell, url).problem == problem
    add(shell, url, "--skip-check")
    for command in (
        ("get", "meshes"),
        ("delete", "mesh", "x"),
        ("inspect", "dataplanes"),
        ("generate", "user-token", "--name=x", "--valid-for=1h"),
    ):
        assert shell.run(*command).problem == problem
    assert shell.run("apply", "-f-", stdin="{type: Mesh, name: x}").problem == problem


def test_version_tells_the_client_all_the_same(shell: Shell, refused_port: int) -> None:
    add(shell, f"http://localhost:{refused_port}", "--skip-check")
    outcome = shell.run("version")
    assert (outcome.code, outcome.out.split()[0]) == (0, "Client:")
    assert "connection refused" in outcome.err


def test_a_host_that_is_not_there(shell: Shell) -> None:
    problem = add(shell, "http://nowhere.invalid").problem
    assert problem.startswith('control plane "x" at http://nowhere.invalid cannot be reached: ')


def test_a_control_plane_that_does_not_answer(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert add(shell, url, "--api-timeout=50ms").problem == (
            f'control plane "x" at {url} cannot be reached: no answer within 50ms (--api-timeout)'
        )


@contextmanager
def a_web_server(
    answer: bytes, *, status: int = 200, location: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """The same answer to everything; where it is, and what it was asked."""
    asked: list[str] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Proxy-Authorization', '')}".strip())
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "status", "location", "problem"),
    [
        (b"<html>", 200, "", " does not answer as a control plane does"),
        (b'{"product": "Other"}', 200, "", " is not a control plane of Kuma"),
        (b"no such page", 404, "", " answers HTTP status 404: no such page"),
        (b"", 301, "https://a/", " sends elsewhere: its address is https://a/"),
    ],
)
def test_what_is_no_control_plane(
    answer: bytes, status: int, location: str, problem: str, shell: Shell
) -> None:
    with a_web_server(answer, status=status, location=location) as (url, _):
        assert add(shell, url).problem == f'control plane "x" at {url}{problem}'


def test_an_answer_that_should_not_be_is_no_traceback(shell: Shell) -> None:
    with a_web_server(b"[1]") as (url, _):
        add(shell, url, "--skip-check")
        problem = shell.run("get", "meshes").problem
        with pytest.raises(AttributeError):
            shell.run("get", "meshes", "--log-level", "debug")
    assert problem.endswith(
        "AttributeError: 'list' object has no attribute 'get'; --log-level debug shows where"
    )


def test_the_proxy_of_the_environment_is_used_but_for_this_machine(shell: Shell) -> None:
    with a_web_server(b'{"product": "Kuma", "version": "9"}') as (url, asked):
        environ = {"http_proxy": url.replace("//", "//user:pass@")}
        add(shell, "http://mesh.example.com:5681/base", "--skip-check")
        told = shell.run("version", environ=environ)
        asked_directly = shell.run("version", "--no-config", environ=environ)
    assert told.out.splitlines()[1] == "Server: Kuma 9"
    assert asked == ["http://mesh.example.com:5681/base/ Basic dXNlcjpwYXNz"]
    assert "Server" not in asked_directly.out


def test_https_goes_through_a_tunnel(shell: Shell) -> None:
    with a_web_server(b"") as (url, _):
        add(shell, "https://mesh.example.com:5682", "--skip-check")
        refused = shell.run("get", "meshes", environ={"https_proxy": url})
    assert refused.problem == (
        'control plane "x" at https://mesh.example.com:5682 cannot be reached: '
        "tunnel connection failed: 501 unsupported method ('connect')"
    )


def test_only_proxies_that_speak_http_are_used(shell: Shell) -> None:
    add(shell, "http://mesh.example.com", "--skip-check")
    refused = shell.run("get", "meshes", environ={"http_proxy": "socks5://localhost:1"})
    assert refused.problem == (
        "proxy socks5://localhost:1: only proxies such as http://proxy:3128 can be used"
    )


def _credentials(api: RunningApi, shell: Shell, key: bytes, *, valid_for: timedelta) -> str:
    secret = signing_key_secret(USER_FAMILY, SecretBytes(key), now=shell.clock.now())
    api.add(secret)
    return api.control_plane.issuer.user(USER, valid_for=valid_for)


def test_a_token_makes_an_administrator_until_it_expires(shell: Shell, signing_key: bytes) -> None:
    with a_running_api(NO_LOCAL_ADMIN) as api:
        add(shell, api.url)
        assert shell.run("get", "secrets").problem.startswith("Access Denied (user ")
        token = _credentials(api, shell, signing_key, valid_for=timedelta(hours=1))
        add(shell, api.url, "--auth-type=tokens", f"--auth-conf=token={token}")
        assert shell.run("get", "global-secrets").code == 0
        shell.clock.advance(timedelta(hours=2))
        api.control_plane.clock.advance(timedelta(hours=2))
        assert shell.run("get", "global-secrets").problem == (
            f'control plane "x" at {api.url} does not accept the token: '
            "it expired at 2026-01-01 01:00:00 UTC, generate a new one"
        )


def test_a_token_of_somebody_else(shell: Shell) -> None:
    with a_running_api(NO_LOCAL_ADMIN) as api:
        add(shell, api.url, "--auth-type=tokens", "--auth-conf=token=abc", "--skip-check")
        assert (
            "does not accept the token: it is signed by another"
            in shell.run("get", "mesh", "x").problem
        )


def test_headers_are_sent(shell: Shell) -> None:
    with a_running_api(NO_LOCAL_ADMIN) as api:
        add(shell, api.url, "--headers", "Authorization=Bearer abc", "--skip-check")
        assert "does not accept the token" in shell.run("get", "meshes").problem


def _certificate(folder: Path, host: str, *, is_client: bool) -> tuple[Path, Path]:
    pair = generate_tls_certificate([host], is_client=is_client, is_ecdsa=True, now=NOW)
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(pair.cert_pem)
    key.write_bytes(pair.key.reveal)
    return cert, key


@pytest.fixture(scope="module")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """Of a server, and the CA to trust."""
    cert, key = _certificate(tmp_path_factory.mktemp("tls"), "localhost", is_client=False)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    return context, cert


def test_a_client_certificate_is_shown(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "client").mkdir()
    server = _certificate(tmp_path / "server", "localhost", is_client=False)
    client = _certificate(tmp_path / "client", "admin", is_client=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(client[0]))
    context.load_cert_chain(*server)
    context.verify_mode = ssl.CERT_REQUIRED
    with a_running_api(tls=context) as api:
        trust = f"--ca-cert-file={server[0]}"
        assert "cannot be reached" in add(shell, api.url, trust).problem
        shown = (f"--client-cert-file={client[0]}", f"--client-key-file={client[1]}")
        assert add(shell, api.url, trust, *shown).code == 0


def test_tls_is_checked_against_the_named_ca(
    shell: Shell, server_tls: tuple[ssl.SSLContext, Path]
) -> None:
    context, ca = server_tls
    with a_running_api(tls=context) as api:
        assert add(shell, api.url).problem == (
            f'control plane "x" at {api.url} cannot be reached: its certificate is not trusted: '
            "self-signed certificate; name its CA with --ca-cert-file, or use --skip-verify, "
            "when adding the control plane"
        )
        assert add(shell, api.url, "--skip-verify").code == 0
        assert add(shell, api.url, f"--ca-cert-file={ca}").code == 0
        assert shell.run("get", "meshes").code == 0
        other_name = api.url.replace("localhost", "127.0.0.1")
        assert "IP address mismatch" in add(shell, other_name, f"--ca-cert-file={ca}").problem


def test_http_and_https_are_not_confused(
    api: RunningApi, shell: Shell, server_tls: tuple[ssl.SSLContext, Path]
) -> None:
    secure = api.url.replace("http:", "https:")
    assert "it does not speak TLS as it should" in add(shell, secure).problem
    with a_running_api(tls=server_tls[0]) as tls_api:
        plain = tls_api.url.replace("https:", "http:")
        assert f'control plane "x" at {plain} cannot be reached: ' in add(shell, plain).problem


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--ca-cert-file=/nope.pem"], "CA certificate /nope.pem: cannot be read: No such file"),
        (["--ca-cert-file={text}"], "CA certificate {text}: not usable PEM: "),
        (
            ["--client-cert-file={text}", "--client-key-file={text}"],
            "client certificate and key {text} and {text}: not usable PEM: ",
        ),
    ],
)
def test_files_that_cannot_be_used(
    arguments: list[str], problem: str, shell: Shell, tmp_path: Path
) -> None:
    text = tmp_path / "text.pem"
    text.write_text("hello")
    given = [each.format(text=text) for each in arguments]
    refused = add(shell, "https://localhost:1", *given)
    assert refused.problem.startswith(problem.format(text=text))


def test_without_its_store_the_control_plane_says_so(api: RunningApi, shell: Shell) -> None:
    api.control_plane.replica.unavailable("PostgreSQL does not answer")
    refused = shell.run("get", "meshes")
    assert refused.problem == "Service unavailable (PostgreSQL does not answer)"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["aply"], 'unknown command "aply" for "kumactl", did you mean "apply"?'),
        (["xyz"], 'unknown command "xyz" for "kumactl"'),
        (["config", "veiw"], 'unknown command "veiw" for "kumactl config", did you mean "view"?'),
        (["get", "meshes", "--siz", "3"], "No such option '--siz'."),
        (["get", "meshes", "--size=x"], "Invalid value for '--size': 'x' is not a valid integer"),
        (["get", "meshes", "--no-config=maybe"], "Invalid value for '--no-config': 'maybe' is not"),
        (["get"], "Missing argument 'TYPE'."),
        (["apply"], "Missing option '-f' / '--file'."),
        (["--api-timeout=1x", "version"], "Invalid value for '--api-timeout': invalid duration "),
        (["get", "a", "b", "c"], "Got unexpected extra argument"),
    ],
)
def test_a_misspelt_command_line(arguments: list[str], problem: str, shell: Shell) -> None:
    outcome = shell.run(*arguments)
    assert outcome.problem.startswith(problem)
    assert outcome.problem.endswith("--help' for usage.")


@pytest.mark.parametrize("command", ["install", "uninstall", "export"])
def test_commands_that_are_not_here(command: str, shell: Shell) -> None:
    problem = shell.run(command, "control-plane", "--set", "a=b").problem
    assert problem == f"this version of kumactl does not have the command {command}"


def test_the_near_option_is_named(shell: Shell) -> None:
    assert "Did you mean '--size'?" in shell.run("get", "meshes", "--siz", "3").err


def test_requests_can_be_watched(api: RunningApi, shell: Shell) -> None:
    outcome = shell.run("get", "meshes", "--log-level=debug")
    assert [line.rsplit(" ", 2)[0] for line in outcome.err.splitlines()] == [
        "GET /_resources 200",
        "GET /meshes 200",
    ]
