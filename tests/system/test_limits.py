"""The control plane and the limits of the operating system."""

import resource
from pathlib import Path

from tests.support.mesh import a_control_plane

SOFT = 256


async def test_the_control_plane_takes_as_many_open_files_as_it_may(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, hard))
    try:
        async with a_control_plane(tmp_path) as cp:
            limits = Path(f"/proc/{cp.process.pid}/limits").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    [line] = [each for each in limits.splitlines() if each.startswith("Max open files")]
    assert line.split()[3:5] == [str(hard), str(hard)]
