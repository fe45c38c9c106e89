"""What a generated MeshService says of the Dataplanes behind it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kuma.pipeline.propagated_labels import Propagated, Propagation, propagate, with_propagated
from kuma.resources.kinds.dataplane import DATAPLANE, DataplaneSpec
from kuma.resources.resource import Resource
from tests.support.builders import a_resource

ALL = Propagation(enabled=True)
START = datetime(2030, 1, 1, tzinfo=UTC)


def dataplane(
    *inbounds: Mapping[str, str], labels: Mapping[str, str] | None = None, second: int = 0
) -> Resource[Any]:
    networking = {
        "address": "192.168.0.1",
        "inbound": [
            {"port": 8080 + index, "tags": {"kuma.io/service": "backend", **tags}}
            for index, tags in enumerate(inbounds)
        ],
    }
    made = a_resource(DATAPLANE, f"dp-{second}", {"networking": networking}, labels=labels)
    meta = replace(made.meta, creation_time=START + timedelta(seconds=second))
    return replace(made, meta=meta)


@pytest.mark.parametrize(
    ("propagation", "dataplanes", "labels", "dropped"),
    [
        (Propagation(), [dataplane({"team": "a"})], {}, ()),
        (ALL, [], {}, ()),
        (ALL, [dataplane({"team": "a", "kuma.io/zone": "z"})], {"team": "a"}, ()),
        (ALL, [dataplane({"team": "a"}, {"tier": "b"})], {"team": "a", "tier": "b"}, ()),
        (ALL, [dataplane({"team": "a"}, {"team": "b", "tier": "c"})], {"tier": "c"}, ("team",)),
        (ALL, [dataplane({"team": "a"}, {"team": "b"}, labels={"team": "c"})], {"team": "c"}, ()),
        (ALL, [dataplane({"team": "a"}, labels={"team": "c"})], {"team": "c"}, ()),
        (ALL, [dataplane({}, labels={"k8s.kuma.io/x": "c"})], {}, ()),
        (ALL, [dataplane({"build": "a@b", "a.test/x": "y"})], {"a.test/x": "y"}, ("build",)),
        (
            Propagation(enabled=True, allowed=frozenset({"team"})),
            [dataplane({"team": "a", "tier": "b", "build": "a@b"}, labels={"app": "c"})],
            {"team": "a"},
            (),
        ),
        (
            ALL,
            [
                dataplane({"team": "a"}, second=1),
                dataplane({"team": "b"}, second=2),
                dataplane({"team": "a"}, second=0),
            ],
            {"team": "a"},
            (),
        ),
        (
            ALL,
            [dataplane({"team": "a"}, second=2), dataplane({"team": "b"}, second=1)],
            {"team": "a"},
            (),
        ),
        (ALL, [dataplane({"team": "b"}), dataplane({"team": "a"})], {"team": "a"}, ()),
    ],
)
def test_what_most_dataplanes_say_is_taken(
    propagation: Propagation,
    dataplanes: list[Resource[DataplaneSpec]],
    labels: Mapping[str, str],
    dropped: tuple[str, ...],
) -> None:
    expected = Propagated(tuple(sorted(labels.items())), dropped)
    assert propagate(propagation, "backend", dataplanes) == expected
    assert propagate(propagation, "backend", dataplanes[::-1]) == expected


def test_an_inbound_of_another_service_says_nothing() -> None:
    other = dataplane({"kuma.io/service": "other", "team": "a"}, {"tier": "b"})
    assert propagate(ALL, "backend", [other]) == Propagated((("tier", "b"),))


def test_what_was_taken_goes_and_what_was_given_stays() -> None:
    first = with_propagated(
        {"owner": "me", "kuma.io/mesh": "default"}, Propagated((("a.test/team", "a"), ("x", "y")))
    )
    second = with_propagated(first, Propagated((("x", "z"),)))

    assert {k: v for k, v in first.items() if not k.startswith("kuma.io/pkey-")} == {
        "owner": "me",
        "kuma.io/mesh": "default",
        "a.test/team": "a",
        "x": "y",
    }
    # Kuma makes the same mark of the key "x", so that either control plane goes on after the other.
    assert second == {
        "owner": "me",
        "kuma.io/mesh": "default",
        "x": "z",
        "kuma.io/pkey-2d711642b726b044": "",
    }
