"""What one stream asked for of one type, and how far it has been brought.

    base ---- the state of the type that the client was last sent (whole, shared, by reference)
    again --- clusters of which the endpoints are due although `base` has them, since they warm
    owed ---- names to send although `base` has them: newly asked for, mostly
    doomed -- resources that are gone but may still be in use; removed when nothing refers to them

The difference between `base` and the newest snapshot is all that is left to send, so a client that
is slow or stuck costs one reference to an old state, however many snapshots pass it by.
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from kuma.envoy.snapshot import NOTHING, EnvoyResource, Named, TypeUrl

EVERYTHING: Final = "*"
OVERDUE: Final = 64
"""Answers with clusters that may go out before an earlier one is acknowledged: more than Envoy, whose
warming ends after some seconds, ever gives cause for."""
PROBES: Final = 32
"""How often parts of one rejected answer are tried again to find the resource at fault."""


class Known(dict[str, EnvoyResource]):
    """A `base` that a reconnecting client told of itself: names and versions without bodies."""


class Outstanding:
    """An answer that is neither acknowledged nor rejected yet. `adds`: it brings new clusters, so
    what refers to them waits."""

    __slots__ = ("adds", "nonce", "removed", "resources")

    def __init__(
        self, nonce: str, resources: tuple[EnvoyResource, ...], removed: list[str], *, adds: bool
    ) -> None:
        self.nonce = nonce
        self.resources = resources
        self.removed = removed
        self.adds = adds


class Interest:
    __slots__ = (
        "again",
        "base",
        "claimed",
        "complaint",
        "doomed",
        "fresh",
        "last_nonce",
        "named",
        "names",
        "outstanding",
        "overdue",
        "owed",
        "probes",
        "rejected",
        "suspects",
        "type_url",
        "unanswered",
        "wildcard",
    )

    def __init__(self, type_url: TypeUrl) -> None:
        self.type_url = type_url
        self.wildcard = False
        self.named = False
        """Whether a name was ever given: from then on an empty list means nothing, not all."""
        self.names: set[str] = set()
        self.base: Named = NOTHING
        self.claimed = ""
        """The version that a reconnecting state-of-the-world client says it has."""
        self.owed: dict[str, None] = {}
        self.again: tuple[EnvoyResource, ...] = ()
        self.unanswered = False
        """Whether an answer is due even if it is empty: a client starting up waits for it."""
        self.outstanding: Outstanding | None = None
        self.overdue: list[Outstanding] | None = None
        self.last_nonce = ""
        self.doomed: dict[str, EnvoyResource] = {}
        self.rejected: set[str] = set()
        self.fresh: set[str] = set()
        """What came or changed since the client last accepted a whole state."""
        self.suspects: deque[tuple[EnvoyResource, ...]] | None = None
        self.probes = 0
        self.complaint = ""

    def wants(self, name: str) -> bool:
        return self.wildcard or name in self.names

    def wanted_of(self, resources: tuple[EnvoyResource, ...]) -> tuple[EnvoyResource, ...]:
        """The same tuple where all of it is wanted, so that what hangs on it is shared."""
        if self.wildcard:
            return resources
        names = self.names
        chosen = tuple([each for each in resources if each.name in names])
        return resources if len(chosen) == len(resources) else chosen

    def owe(self, names: Iterable[str]) -> None:
        self.owed.update(dict.fromkeys(names))

    def is_behind(self, newest: Named) -> bool:
        return self.base is not newest or bool(self.owed or self.again) or self.unanswered

    def is_settled(self, newest: Named) -> bool:
        """All of `newest` was sent and accepted."""
        return (
            self.outstanding is None
            and not self.rejected
            and not self.suspects
            and not self.is_behind(newest)
        )

    def spare(self, resources: tuple[EnvoyResource, ...]) -> tuple[EnvoyResource, ...]:
        """What is left to send of `resources` if some were doomed and are wanted again as they
        were."""
        left = []
        for resource in resources:
            kept = self.doomed.pop(resource.name, None)
            if kept is None or kept.version != resource.version:
                left.append(resource)
        return tuple(left)

    def answer_with(self, nonce: str) -> Outstanding | None:
        """The answer that carries `nonce`, no longer outstanding; None if there is none."""
        if self.outstanding is not None and self.outstanding.nonce == nonce:
            answer, self.outstanding = self.outstanding, None
            return answer
        for answer in self.overdue or ():
            if answer.nonce == nonce:
                self.overdue.remove(answer)  # type: ignore[union-attr]
                return answer
        return None

    def await_answer(self, answer: Outstanding, *, whole: bool) -> None:
        """`answer` was sent. A whole state is a new attempt for all that was in a rejected one."""
        self.last_nonce = answer.nonce
        self.outstanding = answer
        if whole:
            self.rejected.clear()
            self.fresh.update(each.name for each in answer.resources)

    def stop_waiting(self) -> None:
        """Let the next answer go out although this one is not acknowledged yet."""
        if self.outstanding is not None and len(self.overdue or ()) < OVERDUE:
            self.overdue = [*(self.overdue or ()), self.outstanding]
            self.outstanding = None

    def accept(self, answer: Outstanding, *, whole: bool) -> None:
        """`whole`: the answer was the type's whole state, so all of it is good."""
        if whole:
            self.rejected.clear()
            self.fresh.clear()
        elif self.rejected:
            self.rejected.difference_update(each.name for each in answer.resources)

    def reject(self, answer: Outstanding, *, divisible: bool) -> None:
        """Remember what must not be sent again as it is. If the answer held several resources and
        may be divided, its halves are tried, so that one bad resource does not hold up others; and
        what it removed is removed again, since the client may have dropped the answer whole."""
        resources = answer.resources
        if divisible and resources:
            self.owe(answer.removed)
        if divisible and len(resources) > 1 and self.probes > 0:
            half = len(resources) // 2
            self.suspects = self.suspects or deque()
            self.suspects.extend((resources[:half], resources[half:]))
            return
        for each in resources:
            self.rejected.add(each.name)
            self.owed.pop(each.name, None)
        if divisible:
            return
        self.rejected.update(self.fresh or self.base)
        if self.doomed:
            # A whole state with what is kept for others' sake: try it without.
            self.doomed = {}
            self.unanswered = True

    def acquit(self, resources: tuple[EnvoyResource, ...]) -> None:
        """What is sent anew need not be tried as part of an answer that was rejected."""
        if self.suspects:
            names = {each.name for each in resources}
            groups = self.suspects
            self.suspects = deque(
                tuple(r for r in group if r.name not in names) for group in groups
            )

    def next_probe(self) -> tuple[EnvoyResource, ...]:
        """The next part of a rejected answer that is still current; empty if none is left."""
        while self.suspects:
            group = tuple(
                [
                    each
                    for each in self.suspects.popleft()
                    if self.wants(each.name)
                    and (now := self.base.get(each.name)) is not None
                    and now.version == each.version
                ]
            )
            if group and self.probes > 0:
                self.probes -= 1
                return group
            self.rejected.update(each.name for each in group)
        self.suspects = None
        return ()
