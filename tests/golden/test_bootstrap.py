"""What Envoy is started with: `bootstrap/<name>.in.yaml` -> `<name>.bootstrap.yaml` beside it.

about: what the case shows, in a sentence
host: by which name kuma-dp called the control plane
request: the bootstrap request
params, dpServer: settings of the control plane, where they are not the default ones
"""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from kuma.config.servers import BootstrapParams, DpServer
from kuma.resources.kinds.catalogue import CORE_KINDS
from kuma.resources.registry import Registry
from kuma.xds.bootstrap import BootstrapDeps, ReplicaProxies, bootstrap_endpoint
from tests.support.builders import a_dataplane, a_mesh
from tests.support.envoy_binary import find_envoy
from tests.support.replicas import replica_of

FOLDER = Path(__file__).parent / "bootstrap"
CASES = sorted(path.name.removesuffix(".in.yaml") for path in FOLDER.glob("*.in.yaml"))
STORED = (
    a_mesh(),
    a_mesh("exclusive", spec={"meshServices": {"mode": "Exclusive"}}),
    a_dataplane("web-1", service="web", admin_port=9999),
    a_dataplane("web-1", service="web", mesh="exclusive"),
)


@pytest.mark.parametrize("case", CASES)
async def test_bootstrap(case: str, update_goldens: bool) -> None:
    asked = yaml.safe_load((FOLDER / f"{case}.in.yaml").read_text())
    deps = BootstrapDeps(
        params=BootstrapParams.model_validate(asked.get("params", {})),
        dp_server=DpServer.model_validate(asked.get("dpServer", {})),
        certificate=(FOLDER / "cp.pem").read_bytes,
        proxies=ReplicaProxies(replica_of(*STORED), Registry(CORE_KINDS)),
    )
    body = json.dumps(asked["request"]).encode()
    answer = await bootstrap_endpoint(deps)(body, {"host": f"{asked['host']}:5678"})
    status, content_type, text = answer
    assert (status, content_type) == (200, "text/x-yaml"), text
    golden = FOLDER / f"{case}.bootstrap.yaml"
    if update_goldens:
        golden.write_bytes(text)
    assert golden.exists(), f"no {golden.name}: run with --update-goldens"
    assert text.decode() == golden.read_text()


@pytest.mark.parametrize("case", CASES)
def test_envoy_accepts_the_bootstrap(case: str) -> None:
    golden = FOLDER / f"{case}.bootstrap.yaml"
    command = [find_envoy(), "--mode", "validate", "--config-path", golden, "-l", "error"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_no_bootstrap_is_left_over() -> None:
    made = {path.name.removesuffix(".bootstrap.yaml") for path in FOLDER.glob("*.bootstrap.yaml")}
    assert made - set(CASES) == set()
