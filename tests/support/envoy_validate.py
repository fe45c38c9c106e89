"""Whether the real Envoy accepts what was rendered: `envoy --mode validate`, about 0.1 s a run.

    rejections({"case a": resources, "case b": ...}) -> {"case b": "what Envoy says"}

All cases share one run; if it fails, each is run alone, to say which.
"""

import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from kuma.envoy.snapshot import EnvoyResource
from tests.support.envoy_binary import find_envoy
from tests.support.envoy_static import a_bootstrap, add_static

Cases = Mapping[str, Iterable[EnvoyResource]]


def rejections(cases: Cases) -> dict[str, str]:
    """What Envoy says against each case that it rejects."""
    fixed = {name: tuple(resources) for name, resources in cases.items()}
    together = _complaint(fixed)
    if not together:
        return {}
    alone = {name: _complaint({name: resources}) for name, resources in fixed.items()}
    found = {name: complaint for name, complaint in alone.items() if complaint}
    return found or {"all together": together}


def _complaint(cases: Cases) -> str:
    bootstrap = a_bootstrap()
    for name, resources in cases.items():
        add_static(bootstrap, resources, apart=f"{name}/")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "bootstrap.pb"
        path.write_bytes(bootstrap.SerializeToString())
        command = [find_envoy(), "--mode", "validate", "--config-path", path, "-l", "error"]
        ran = subprocess.run(command, capture_output=True, text=True)
    return "" if ran.returncode == 0 else (ran.stderr or ran.stdout).strip()
