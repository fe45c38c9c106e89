"""The sets of the comparison: the same for the same seed, with every kind, mostly valid."""

from kuma.policies.catalogue import REGISTRY
from kuma.resources.codec import parse_document
from kuma.resources.errors import InvalidResource
from tests.compare.chance import Json
from tests.compare.difference import Difference, differences
from tests.compare.world import a_world, all_kinds

KNOWN = {kind.name for kind in REGISTRY}


def is_valid(document: Json) -> bool:
    try:
        parse_document(REGISTRY, document)
    except InvalidResource:
        return False
    return True


def test_a_seed_gives_one_set() -> None:
    assert a_world(7, all_kinds()) == a_world(7, all_kinds())
    assert a_world(7, all_kinds()) != a_world(8, all_kinds())


def test_sets_have_policies_of_every_kind_and_some_are_wrong() -> None:
    documents = [
        each
        for seed in range(20)
        for each in a_world(seed, all_kinds()).documents
        if each["type"] in KNOWN
    ]
    assert {each["type"] for each in documents} >= KNOWN & set(all_kinds())
    valid = sum(map(is_valid, documents))
    assert 0.6 < valid / len(documents) < 0.95


def test_differences_are_told_with_their_path() -> None:
    ours = {"a": [1, {"b": True}], "c": 1}
    theirs = {"a": [1, {"b": 1}], "d": None}
    assert list(differences(ours, theirs)) == [
        Difference("a[1].b", True, 1),
        Difference("c", 1, "(absent)"),
        Difference("d", "(absent)", None),
    ]
