"""What waits to be sent on while its receiver cannot be reached, and what became too much, told."""

import asyncio
from collections import deque

from kuma.dataplane.log import Log

_TELL_EVERY = 60.0


class Held:
    """Messages in their order, held until they are sent; `most` bytes of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._messages: deque[bytes] = deque()
        self._size = 0

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: bytes) -> bool:
        """False: there is no room for it."""
        if self._size + len(message) > self._most:
            return False
        self._messages.append(message)
        self._size += len(message)
        return True

    def first(self, size: int) -> list[bytes]:
        """As many messages as `size` bytes have room for, at least one."""
        batch: list[bytes] = []
        for message in self._messages:
            size -= len(message)
            if size < 0 and batch:
                break
            batch.append(message)
        return batch

    def forget(self, count: int) -> None:
        """The first ones: they are sent."""
        for _ in range(count):
            self._size -= len(self._messages.popleft())


class Told:
    """Something that may happen often, told at once and then at most once a minute."""

    def __init__(self, log: Log, text: str, **about: str) -> None:
        self._log = log
        self._text = text
        self._about = about
        self._untold = 0
        self._next = 0.0

    def once_more(self, count: int = 1, **about: str) -> None:
        """`about`: what is new to say of it."""
        self._untold += count
        self._about = {**self._about, **about}
        now = asyncio.get_running_loop().time()
        if now >= self._next:
            self.tell()
            self._next = now + _TELL_EVERY

    def tell(self) -> None:
        """What has not been told yet."""
        if self._untold:
            self._log.warning(self._text, count=self._untold, **self._about)
            self._untold = 0
