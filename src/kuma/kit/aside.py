"""Where work on a document is done: at once if it is small, in a thread if it is large.

To read and check a document of a mebibyte takes seconds, in which an event loop would answer nobody.
A thread lets it go on, since CPython hands its lock over between two lines of Python. For a document
of usual size the way to a thread and back costs more than the work.

Large documents wait for each other: one thread, so that many at once cannot crowd the loop out.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

LARGE = 64 * 1024
"""Bytes; as much takes some milliseconds."""

LARGEST = 1024 * 1024
"""Bytes of a document that may be sent: far above any real resource. JSON is read in one piece, even
in a thread, so the largest holds everybody up as long as that takes: some 20 ms."""

_thread = ThreadPoolExecutor(1, thread_name_prefix="large-documents")


async def work(size: int, do: Callable[[], T]) -> T:
    """What `do` returns or raises; `size` is that of the document it works on, in bytes. It must
    touch nothing that others change meanwhile."""
    if size <= LARGE:
        return do()
    return await asyncio.get_running_loop().run_in_executor(_thread, do)
