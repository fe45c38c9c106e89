from collections.abc import Iterator
from pathlib import Path

import pytest

from kuma.identity.signing_keys import generate_signing_key
from kuma.kit.clock import ManualClock
from tests.ctl.cli import Shell
from tests.ctl.running_api import RunningApi, a_running_api


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / ".kumactl" / "config", ManualClock())


@pytest.fixture
def api(shell: Shell) -> Iterator[RunningApi]:
    """A control plane that is the active one of `shell`."""
    with a_running_api() as api:
        shell.out("config", "control-planes", "add", "--name=test", f"--address={api.url}")
        yield api


@pytest.fixture(scope="session")
def signing_key() -> bytes:
    return generate_signing_key().reveal
