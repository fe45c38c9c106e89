"""A range of IP addresses to hand out, each once.

An address that was released is handed out again as late as possible: whoever still sends to the one
who had it before must not reach another one.
"""

from ipaddress import ip_address, ip_network


class Exhausted(Exception):
    """Every address of the range is taken: nothing can be done but to release some."""


class AddressPool:
    """`cidr` may be of either family, with or without bits beyond the prefix."""

    def __init__(self, cidr: str) -> None:
        self._network = ip_network(cidr, strict=False)
        self._taken: set[int] = set()
        self._next = 0

    def reserve(self, address: str) -> None:
        """Never hand it out; nothing happens to one outside of the range."""
        offset = self._offset(address)
        if offset is not None:
            self._taken.add(offset)
            self._next = max(self._next, offset + 1)

    def allocate(self) -> str:
        """Raises Exhausted."""
        size = self._network.num_addresses
        if len(self._taken) >= size:
            raise Exhausted(f"all {size} addresses of {self._network} are taken")
        while (offset := self._next % size) in self._taken:
            self._next += 1
        self._taken.add(offset)
        self._next = offset + 1
        return str(self._network[offset])

    def release(self, address: str) -> None:
        offset = self._offset(address)
        if offset is not None:
            self._taken.discard(offset)

    def give_back(self, address: str) -> None:
        """Release one that nobody has learned of: it may be handed out next."""
        self.release(address)
        offset = self._offset(address)
        if offset is not None and offset + 1 == self._next:
            self._next = offset

    def contains(self, address: str) -> bool:
        """Whether it is an address of the range."""
        return self._offset(address) is not None

    def _offset(self, address: str) -> int | None:
        try:
            found = ip_address(address)
        except ValueError:
            return None
        if found not in self._network:
            return None
        return int(found) - int(self._network.network_address)
