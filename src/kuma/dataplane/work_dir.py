"""The directory of one run: Envoy's bootstrap, sockets, the token that Envoy reads.

Its mode is 0711: others may reach a socket in it (probes do), and see nothing; files are 0600.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Self

from kuma.dataplane.errors import DataPlaneError

_MODE = 0o711
_LONGEST_SOCKET_PATH = 98
"""The control plane cuts names of sockets here, so that they fit in sockaddr_un; source: Kuma."""
_ADMIN_SOCKET = "kuma-envoy-admin"


class WorkDir:
    """A context: a temporary directory is removed at the end; one of the user's keeps only
    `bootstrap.yaml`."""

    def __init__(self, wanted: Path | None) -> None:
        self._is_temporary = wanted is None
        self.path = _temporary() if wanted is None else _made(wanted)
        self._written: list[Path] = []
        if self._is_temporary:
            self.path.chmod(_MODE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._is_temporary:
            shutil.rmtree(self.path, ignore_errors=True)
            return
        sockets = (each for each in self.path.glob("kuma-*.sock") if each.is_socket())
        for each in (*self._written, *sockets):
            with contextlib.suppress(OSError):
                each.unlink()

    def write_bootstrap(self, text: str) -> Path:
        return self._write("bootstrap.yaml", text)

    def write_secret(self, text: str) -> Path:
        path = self._write("dataplane-token.json", text)
        if path not in self._written:
            self._written.append(path)
        return path

    def _write(self, name: str, text: str) -> Path:
        """Replaces the file at once, so that whoever watches it never reads half of it."""
        draft, path = self.path / f".{name}", self.path / name
        try:
            with os.fdopen(
                os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w"
            ) as out:
                out.write(text)
            draft.replace(path)
        except OSError as error:
            raise DataPlaneError(f"{path} cannot be written: {error.strerror}") from error
        return path


def _temporary() -> Path:
    path = Path(tempfile.mkdtemp(prefix="kuma-dp-"))
    if not _fits(path):
        path.rmdir()
        where = f"{path.parent}, from TMPDIR, is too long for the path of a unix socket"
        raise DataPlaneError(f"{where}: give a shorter --work-dir")
    return path


def _fits(path: Path) -> bool:
    return len(os.fsencode(path / _ADMIN_SOCKET)) <= _LONGEST_SOCKET_PATH


def _made(wanted: Path) -> Path:
    path = wanted.absolute()
    if not _fits(path):
        raise DataPlaneError(f"--work-dir {path} is too long for the path of a unix socket")
    try:
        path.mkdir(mode=_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise DataPlaneError(f"--work-dir {path} cannot be made: {error.strerror}") from error
    return path
