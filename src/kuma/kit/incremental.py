"""Incremental computation: derived values that are computed again only when what they read changed.

    inputs --set--> marks dependents stale --> observers are told --> refresh pulls, in order of reads

Inputs are cells that the world writes; everything else is a pure query over inputs and other
queries. A query records what it reads. Setting an input marks its transitive dependents stale,
which costs as much as there is to tell: what is too much for one go is left to `mark`, and done
before anything is read. A refresh verifies the reads of a stale query in order and runs it again
only if one of them came out different. A result equal to the last one stops the change there (early
cut-off), and keeps the old object, so that sharing survives.

The idea is that of salsa (https://salsa-rs.github.io/salsa/reference/algorithm.html) and of build
systems. Single-threaded; no I/O; nothing polls.
"""

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")

AT_ONCE = 500
"""Takes a millisecond or two."""


class Cycle(Exception):
    """A query needs its own result."""


class _Failure:
    """A query that raised; remembered like a value, so that it is not tried again in vain."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


class _Cell:
    __slots__ = ("changed_at", "dependents", "key", "value")

    def __init__(self, key: Hashable, value: Any, changed_at: int) -> None:
        self.key = key
        self.value = value
        self.changed_at = changed_at
        self.dependents: set[_Node] = set()


class _Node(_Cell):
    __slots__ = ("deps", "observer", "running", "stale", "verified_at")

    def __init__(self, key: Hashable) -> None:
        super().__init__(key, None, 0)
        self.deps: tuple[_Cell, ...] | None = None
        self.observer: Callable[[], None] | None = None
        self.stale = True
        self.running = False
        self.verified_at = 0


class Observation(Generic[T]):
    """A query that somebody keeps: it stays in memory, and `on_stale` is called once each time it
    may have changed, until it is read again."""

    def __init__(self, engine: "Engine", node: _Node) -> None:
        self._engine = engine
        self._node = node

    def value(self) -> T:
        """The current value, refreshed. Raises what the query raised."""
        return cast("T", self._engine.refreshed(self._node))

    def close(self) -> None:
        self._node.observer = None
        self._engine.orphaned(self._node)


class Engine:
    """`at_once`: how many queries are marked stale when an input is set; the others are left to
    `mark`."""

    def __init__(self, *, at_once: int = AT_ONCE) -> None:
        self._at_once = at_once
        self._revision = 1
        self._inputs: dict[Hashable, _Cell] = {}
        self._nodes: dict[Hashable, _Node] = {}
        self._reads: list[dict[_Cell, None]] = []
        self._orphans: set[_Cell] = set()
        self._unmarked: list[_Node] = []
        self._behind: Callable[[], None] = lambda: None
        self.computations = 0

    def __len__(self) -> int:
        """How many query results are held."""
        return len(self._nodes)

    def set(self, key: Hashable, value: Any) -> None:
        """Write an input; an equal value changes nothing. None is the value of an unset input."""
        cell = self._inputs.get(key)
        if cell is None:
            if value is None:
                return
            cell = self._inputs[key] = _Cell(key, None, 0)
        if cell.value is value or cell.value == value:
            return
        self._revision += 1
        cell.value = value
        cell.changed_at = self._revision
        self._unmarked.extend(cell.dependents)
        if self.mark(self._at_once):
            self._behind()
        if value is None and not cell.dependents:
            del self._inputs[key]

    def mark(self, at_most: int | None = None) -> bool:
        """Mark stale what depends on inputs that were set; whether any is left after `at_most`."""
        unmarked = self._unmarked
        while unmarked and at_most != 0:
            node = unmarked.pop()
            if node.stale:
                continue
            at_most = None if at_most is None else at_most - 1
            node.stale = True
            unmarked.extend(node.dependents)
            if node.observer is not None:
                node.observer()
        return bool(unmarked)

    def when_behind(self, tell: Callable[[], None]) -> None:
        """Call `tell` when `mark` has something to do."""
        self._behind = tell

    def peek(self, key: Hashable) -> Any:
        """An input's value, without recording that it was read."""
        cell = self._inputs.get(key)
        return None if cell is None else cell.value

    def read(self, key: Hashable) -> Any:
        """An input's value; None if it is not set."""
        cell = self._inputs.get(key)
        if cell is None:
            if not self._reads:
                return None
            cell = self._inputs[key] = _Cell(key, None, 0)
        if self._reads:
            self._reads[-1][cell] = None
        return cell.value

    def query(self, compute: Callable[..., Any], *args: Any) -> Any:
        """`compute(*args)`, remembered. `compute` and `args` are the key, so must be hashable."""
        key = (compute, *args)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = _Node(key)
            if not self._reads:
                self._orphans.add(node)
        if self._unmarked:
            self.mark()
        if node.stale:
            self._refresh(node)
        if self._reads:
            self._reads[-1][node] = None
        value = node.value
        if type(value) is _Failure:
            raise value.error
        return value

    def is_current(self, compute: Callable[..., Any], *args: Any) -> bool:
        """Whether `query` of the same would give a remembered value without looking at anything."""
        self.mark()
        node = self._nodes.get((compute, *args))
        return node is not None and not node.stale

    def observe(
        self, on_stale: Callable[[], None], compute: Callable[..., Any], *args: Any
    ) -> Observation[Any]:
        """Keep `compute(*args)`; the first value is computed when it is first read."""
        key = (compute, *args)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = _Node(key)
        if node.observer is not None:
            msg = f"{compute.__name__}{args} is observed already"
            raise ValueError(msg)
        node.observer = on_stale
        return Observation(self, node)

    def collect(self, at_most: int | None = None) -> bool:
        """Forget results that nobody depends on; whether `at_most` looks left any to be looked at."""
        while self._orphans and at_most != 0:
            cell = self._orphans.pop()
            at_most = None if at_most is None else at_most - 1
            if cell.dependents:
                continue
            if not isinstance(cell, _Node):
                if cell.value is None:
                    self._inputs.pop(cell.key, None)
                continue
            if cell.observer is not None or self._nodes.get(cell.key) is not cell:
                continue
            del self._nodes[cell.key]
            self._unlink(cell, cell.deps or ())
        return bool(self._orphans)

    def refreshed(self, node: _Node) -> Any:
        self.mark()
        if node.stale:
            self._refresh(node)
        if type(node.value) is _Failure:
            raise node.value.error
        return node.value

    def orphaned(self, node: _Node) -> None:
        if not node.dependents:
            self._orphans.add(node)

    def _refresh(self, node: _Node) -> None:
        if node.running:
            msg = f"{node.key} needs its own result"
            raise Cycle(msg)
        if node.deps is not None and self._is_verified(node):
            node.stale = False
            node.verified_at = self._revision
            return
        self._compute(node)

    def _is_verified(self, node: _Node) -> bool:
        """Whether every read of last time, in order, still gives what it gave."""
        for dep in node.deps or ():
            if isinstance(dep, _Node) and dep.stale:
                self._refresh(dep)
            if dep.changed_at > node.verified_at:
                return False
        return True

    def _compute(self, node: _Node) -> None:
        compute, *args = cast("tuple[Any, ...]", node.key)
        reads: dict[_Cell, None] = {}
        self._reads.append(reads)
        node.running = True
        self.computations += 1
        try:
            value: Any = compute(*args)
        except Cycle:
            raise
        except Exception as error:
            value = _Failure(error)
        finally:
            node.running = False
            self._reads.pop()
        self._link(node, tuple(reads))
        node.stale = False
        node.verified_at = self._revision
        if node.changed_at == 0 or node.value != value:
            node.value = value
            node.changed_at = self._revision

    def _link(self, node: _Node, deps: tuple[_Cell, ...]) -> None:
        before = node.deps
        node.deps = deps
        if before == deps:
            return
        for dep in deps:
            dep.dependents.add(node)
        if before:
            kept = set(deps)
            self._unlink(node, tuple(dep for dep in before if dep not in kept))

    def _unlink(self, node: _Node, deps: tuple[_Cell, ...]) -> None:
        for dep in deps:
            dep.dependents.discard(node)
            if not dep.dependents:
                self._orphans.add(dep)
