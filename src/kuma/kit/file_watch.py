"""Told by the kernel that a file was written or replaced: no polling, no library.

The directory is watched, not the file: a file is best replaced by renaming another onto it, and
Kubernetes swaps a symbolic link beside it. Source: inotify(7).
"""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from pathlib import Path

_CLOSE_WRITE, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x80, 0x100, 0x200
_EVENTS = _CLOSE_WRITE | _MOVED_TO | _CREATE | _DELETE


class FileWatch:
    """Calls `changed` on the running loop after something happened to `path` or beside it: the
    callee reads the file and sees for itself. Only on Linux; elsewhere `is_supported` is False."""

    is_supported = sys.platform == "linux"

    def __init__(self, path: Path, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = _checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            for folder in {path.absolute().parent, path.resolve().parent}:
                _checked(libc.inotify_add_watch(self._inotify, os.fsencode(folder), _EVENTS))
        except OSError:
            os.close(self._inotify)
            raise
        self._loop.add_reader(self._inotify, self._notified)

    def close(self) -> None:
        self._loop.remove_reader(self._inotify)
        os.close(self._inotify)

    def _notified(self) -> None:
        os.read(self._inotify, 64 * 1024)
        self._changed()


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
