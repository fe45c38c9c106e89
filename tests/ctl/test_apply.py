from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from kuma.resources.kinds.mesh import MESH
from tests.ctl.cli import Shell
from tests.ctl.running_api import RunningApi

TWO = """\
# two of them
---
type: Mesh
name: m-1
---
type: MeshTimeout
mesh: m-1
name: mt-1
spec:
  to:
  - targetRef: {kind: Mesh}
    default: {idleTimeout: 10s}
"""
DEPRECATED = """\
type: MeshTimeout
mesh: default
name: mt-1
spec:
  from:
  - targetRef: {kind: Mesh}
    default: {idleTimeout: 10s}
"""
INVALID = """\
type: Dataplane
mesh: default
name: dp-1
networking:
  address: 127.0.0.1
  inbound:
  - port: 80
    tags: {version: v1}
  - port: 80
    tags: {kuma.io/service: a, kuma.io/protocol: odd}
"""


def test_many_documents_are_created_and_then_updated(api: RunningApi, shell: Shell) -> None:
    assert shell.out("apply", "-f", "-", stdin=TWO) == (
        'resource type="Mesh" mesh="" name="m-1" Created\n'
        'resource type="MeshTimeout" mesh="m-1" name="mt-1" Created\n'
    )
    assert shell.out("apply", "-f=-", stdin=TWO).count("Updated") == 2
    assert "m-1" in api.names(MESH.name)


SERVICES = """\
type: HostnameGenerator
name: local
spec:
  selector: {meshMultiZoneService: {matchLabels: {team: shop}}}
  template: "{{ .DisplayName }}.{{ .Zone }}"
---
type: MeshMultiZoneService
mesh: default
name: all
spec:
  selector: {meshService: {matchLabels: {app: api}}}
  ports: [{port: 80}]
---
type: Workload
mesh: default
name: shop
spec: {}
"""


def test_kinds_of_services_are_applied_and_shown(api: RunningApi, shell: Shell) -> None:
    """The fields of Go's templates are for the control plane, not for `--var`."""
    assert shell.out("apply", "-f", "-", stdin=SERVICES).count("Created") == 3

    assert shell.out("get", "hg") == "NAME    AGE\nlocal   0s\n"
    assert shell.out("get", "mzsvc", "all") == "MESH      NAME   AGE\ndefault   all    0s\n"
    assert shell.out("get", "workloads").splitlines()[1].split()[:2] == ["default", "shop"]
    assert '"{{ .DisplayName }}.{{ .Zone }}"' in shell.out(
        "get", "hostnamegenerator", "local", "-ojson"
    )
    shell.out("delete", "workload", "shop")
    assert api.names("Workload") == set()


def test_json_is_applied_too(api: RunningApi, shell: Shell) -> None:
    assert "Created" in shell.out("apply", "-f", "-", stdin='{\n\t"type": "Mesh", "name": "m-1"\n}')


def test_variables_are_put_in(api: RunningApi, shell: Shell) -> None:
    text = "type: Mesh\nname: {{ name }}-{{no.1}}\n"
    shell.out("apply", "-f", "-", "-v", "name=m", "--var=no.1=1", stdin=text)
    assert "m-1" in api.names(MESH.name)


def test_a_directory_is_applied_in_the_order_of_names(
    api: RunningApi, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "b.yml").write_text("type: Mesh\nname: m-2\n")
    (tmp_path / "a.json").write_text('{"type": "Mesh", "name": "m-1"}')
    (tmp_path / "c.txt").write_text("no yaml: [")
    said = shell.out("apply", "-f", str(tmp_path))
    assert said.splitlines() == [
        'resource type="Mesh" mesh="" name="m-1" Created',
        'resource type="Mesh" mesh="" name="m-2" Created',
    ]


def test_a_url_is_applied(api: RunningApi, shell: Shell) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/mesh.yaml" else 404)
            self.end_headers()
            self.wfile.write(b"type: Mesh\nname: m-1\n")

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        applied = shell.run("apply", "-f", f"{url}/mesh.yaml")
        missing = shell.run("apply", "-f", f"{url}/other.yaml")
        server.shutdown()
        thread.join()
    assert (applied.code, applied.out) == (0, 'resource type="Mesh" mesh="" name="m-1" Created\n')
    assert missing.problem == f"{url}/other.yaml: cannot be read: HTTP status 404"


def test_warnings_of_the_control_plane_are_told(api: RunningApi, shell: Shell) -> None:
    outcome = shell.run("apply", "-f", "-", stdin=DEPRECATED)
    assert outcome.code == 0
    assert outcome.err.startswith("Warning: 'from' field is deprecated")


def test_every_violation_is_a_line(api: RunningApi, shell: Shell) -> None:
    outcome = shell.run("apply", "-f", "-", stdin=INVALID)
    first, *violations = outcome.problem.splitlines()
    assert first == (
        'resource type="Dataplane" mesh="default" name="dp-1": '
        "Could not process a resource (Resource is not valid)"
    )
    assert len(violations) >= 2
    assert '* networking.inbound[0].tags["kuma.io/service"]: tag has to exist' in violations


MALFORMED = [
    ("a: 1\n b: [", "line 2, column 3: mapping values are not allowed in this context"),
    ("type: Mesh\nname: x\nname: y", 'line 3, column 1: key "name" is there already'),
    ("- x", "line 1: must be an object with type and name"),
    ("name: x", "line 1: type: cannot be empty"),
    ("type: Mesh", "line 1: name: cannot be empty"),
    ("type: Mesh\nname: 3", "line 1: name: must be a string, put 3 in quotes"),
    ("apiVersion: kuma.io/v1alpha1\nkind: Mesh", "line 1: is a Kubernetes manifest, write it in "),
    ("type: Mesh\nname: x\na: .nan", 'line 3, column 4: ".nan" is no number, or too long'),
    ("type: Mesh\nname: x\na: !!set {b}", "line 1: has a value that JSON does not have: "),
    (f"type: Mesh\nname: x\na: {'[' * 990}{']' * 990}", "line 1: is nested too deeply"),
    (f"type: Mesh\nname: x\na: {'9' * 5000}", 'line 3, column 4: "99999'),
    ("type: Meshh\nname: x", 'line 1: unknown type "Meshh", did you mean "Mesh"?'),
    ("type: MeshTimeout\nname: x", "line 1: mesh: cannot be empty"),
]


@pytest.mark.parametrize(("text", "fault"), MALFORMED)
def test_nothing_is_applied_if_one_document_is_malformed(
    text: str, fault: str, api: RunningApi, shell: Shell, tmp_path: Path
) -> None:
    (tmp_path / "1.yaml").write_text("type: Mesh\nname: good")
    (tmp_path / "2.yaml").write_text(text)
    problem = shell.run("apply", "-f", str(tmp_path)).problem
    assert problem.startswith(f"{tmp_path}/2.yaml, {fault}")
    assert problem.endswith("; nothing was applied")
    assert api.names(MESH.name) == {"default"}


def test_all_malformed_documents_are_told(api: RunningApi, shell: Shell) -> None:
    refused = shell.run("apply", "-f", "-", stdin="type: Foo\nname: x\n---\ntype: Bar\nname: x")
    assert refused.problem == (
        "2 faults were found, nothing was applied:\n"
        '* standard input, line 1: unknown type "Foo"\n'
        '* standard input, line 4: unknown type "Bar"'
    )


@pytest.mark.parametrize(
    ("arguments", "stdin", "problem"),
    [
        (["-f", "/nope"], "", "/nope: cannot be read: No such file or directory"),
        (["-f", "-"], "", "no resource(s) passed to apply"),
        (["-f", "-"], "# only this\n---\n", "no resource(s) passed to apply"),
        (
            ["-f", "-", "-v", "nam=x"],
            "name: {{ name }}",
            (
                'standard input, line 1: variable "name" has no value, did you mean "nam"?; '
                "nothing was applied"
            ),
        ),
        (
            ["-f", "-"],
            "type: Mesh\nname: {{ name }}",
            (
                "standard input, line 2, column 8: found unhashable key, if it is a template, "
                "give its variables with --var name=...; nothing was applied"
            ),
        ),
        (
            ["-f", "-"],
            'template: "{{ .Name }}"\nname: [',
            (
                "standard input, line 3, column 1: did not find expected node content; "
                "nothing was applied"
            ),
        ),
        (["-f", "-", "--var", "x"], "", '--var: "x" must be formatted as key=value'),
    ],
)
def test_what_cannot_be_read_is_told(
    arguments: list[str], stdin: str, problem: str, shell: Shell
) -> None:
    assert shell.run("apply", *arguments, stdin=stdin).problem == problem


def test_a_dry_run_prints_and_needs_no_control_plane(shell: Shell) -> None:
    text = 'type: Mesh\nname: "{{ n }}"\n---\ntype: Mesh\nname: m-2\n'
    assert shell.out("apply", "--dry-run", "-f", "-", "-v", "n=m-1", stdin=text) == (
        "name: m-1\ntype: Mesh\n---\nname: m-2\ntype: Mesh\n"
    )


def test_a_dry_run_knows_the_kinds(shell: Shell) -> None:
    outcome = shell.run("apply", "--dry-run", "-f", "-", stdin="type: Meshh\nname: x\n")
    assert outcome.problem == (
        'standard input, line 1: type: unknown resource type "Meshh", did you mean "Mesh"?; '
        "nothing was applied"
    )


def test_of_several_documents_none_is_applied_unless_all_are_right(
    api: RunningApi, shell: Shell
) -> None:
    problem = shell.run("apply", "-f", "-", stdin=f"type: Mesh\nname: m-1\n---\n{INVALID}").problem
    assert (
        'standard input, line 4: networking.inbound[0].tags["kuma.io/service"]: tag has to exist'
        in problem
    )
    assert "nothing was applied" in problem
    assert api.names(MESH.name) == {"default"}


def test_newer_kinds_are_of_the_default_mesh_unless_they_say_another(
    api: RunningApi, shell: Shell
) -> None:
    text = DEPRECATED.replace("mesh: default\n", "")
    said = shell.run("apply", "-f", "-", stdin=text).out
    assert said == 'resource type="MeshTimeout" mesh="default" name="mt-1" Created\n'
    assert "mt-1" in api.names("MeshTimeout")


def test_a_dry_run_checks_what_it_knows(shell: Shell) -> None:
    problem = shell.run("apply", "-f", "-", "--dry-run", stdin=INVALID).problem
    fault = (
        'standard input, line 1: networking.inbound[0].tags["kuma.io/service"]: tag has to exist'
    )
    assert fault in problem
