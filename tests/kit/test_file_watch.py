import asyncio
from pathlib import Path

import pytest

from kuma.kit.file_watch import FileWatch

pytestmark = pytest.mark.skipif(not FileWatch.is_supported, reason="inotify is Linux's")


class Watched:
    def __init__(self, path: Path) -> None:
        self._changed = asyncio.Event()
        self.watch = FileWatch(path, self._changed.set)

    async def change(self) -> None:
        async with asyncio.timeout(30):
            await self._changed.wait()
        self._changed.clear()


async def test_writing_and_replacing_a_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("1")
    watched = Watched(path)
    path.write_text("2")
    await watched.change()
    (tmp_path / "new").write_text("3")
    await watched.change()
    (tmp_path / "new").rename(path)
    await watched.change()
    watched.watch.close()


async def test_a_swapped_link_is_told_as_kubernetes_does_it(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(name)
    (tmp_path / "data").symlink_to("first")
    (tmp_path / "token").symlink_to("data/token")
    watched = Watched(tmp_path / "token")
    (tmp_path / "next").symlink_to("second")
    (tmp_path / "next").rename(tmp_path / "data")
    await watched.change()
    assert (tmp_path / "token").read_text() == "second"
    watched.watch.close()


async def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FileWatch(tmp_path / "none" / "token", lambda: None)
