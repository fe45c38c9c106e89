"""Labels that a generated MeshService takes from the Dataplanes behind it.

    tags of the inbounds, overlaid by labels   of each Dataplane -> what most of them say
    + marks of what was taken, so that it goes when no Dataplane says it any more

Off unless `meshService.labelPropagation` is on; labels that somebody gave the MeshService stay.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256

from kuma.config.control_plane import RESERVED_LABELS
from kuma.kit.value import value
from kuma.resources.kinds.dataplane import DataplaneSpec
from kuma.resources.label_syntax import check_labels
from kuma.resources.resource import Resource

MARK = "kuma.io/pkey-"
"""Begins the label that marks another one as taken; the rest is made of that one's key."""

Labels = Mapping[str, str]


@value
class Propagation:
    """`allowed`: the keys that are taken; none: all that are not reserved."""

    enabled: bool = False
    allowed: frozenset[str] = frozenset()

    def takes(self, key: str) -> bool:
        return not key.startswith(RESERVED_LABELS) and (not self.allowed or key in self.allowed)


NO_PROPAGATION = Propagation()


@value
class Propagated:
    """`dropped`: keys that no label can be made of, or on which the inbounds of one Dataplane
    disagree."""

    labels: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()


def propagate(
    propagation: Propagation, service: str, dataplanes: Iterable[Resource[DataplaneSpec]]
) -> Propagated:
    """What most Dataplanes say; of values with equally many the one of the newest, then the least."""
    said: dict[str, dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    dropped: set[str] = set()
    for dataplane in dataplanes if propagation.enabled else ():
        found = _labels_of(propagation, service, dataplane)
        dropped.update(found.dropped)
        for key, text in found.labels:
            said[key][text].append(dataplane.meta.creation_time)
    chosen = {key: _most_said(times) for key, times in said.items()}
    return Propagated(tuple(sorted(chosen.items())), tuple(sorted(dropped)))


def with_propagated(labels: Labels, propagated: Propagated) -> dict[str, str]:
    """`labels` without those that were taken before, with those that are now."""
    before = {key.removeprefix(MARK) for key in labels if key.startswith(MARK)}
    kept = {
        key: text
        for key, text in labels.items()
        if not key.startswith(MARK) and _hash(key) not in before
    }
    marks = {f"{MARK}{_hash(key)}": "" for key, _ in propagated.labels}
    return {**kept, **dict(propagated.labels), **marks}


def _labels_of(
    propagation: Propagation, service: str, dataplane: Resource[DataplaneSpec]
) -> Propagated:
    values: dict[str, set[str]] = defaultdict(set)
    for inbound in dataplane.spec.networking.inbound:
        for key, text in inbound.tags.items() if inbound.service == service else ():
            values[key].add(text)
    agreed = {key: min(texts) for key, texts in values.items() if len(texts) == 1}
    good = {
        key: text
        for key, text in {**agreed, **dataplane.labels}.items()
        if propagation.takes(key) and not any(check_labels({key: text}))
    }
    wanted = {key for key in (*values, *dataplane.labels) if propagation.takes(key)}
    return Propagated(tuple(good.items()), tuple(wanted - {*good}))


def _most_said(times: Mapping[str, list[datetime]]) -> str:
    return min(times, key=lambda text: (-len(times[text]), -max(times[text]).timestamp(), text))


def _hash(key: str) -> str:
    """A key may have a slash, which the value of a label cannot."""
    return sha256(key.encode()).hexdigest()[:16]
