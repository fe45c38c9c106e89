"""The sets of the comparison: the same for the same seed, with every kind, mostly valid."""

from kuma.policies.catalogue import REGISTRY
from kuma.resources.codec import parse_document
from kuma.resources.errors import InvalidResource
from tests.compare.chance import Json
from tests.compare.difference import Difference, differences
from tests.compare.mending import without
from tests.compare.policies import KINDS
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


def test_sets_have_resources_of_every_other_kind() -> None:
    found = {each["type"] for seed in range(20) for each in a_world(seed, all_kinds()).documents}
    assert found >= {
        "Dataplane", "ExternalService", "HostnameGenerator", "Mesh", "MeshExternalService", "MeshIdentity",
        "MeshMultiZoneService", "MeshOpenTelemetryBackend", "MeshService", "MeshTrust",
    }  # fmt: skip


def test_policies_have_every_kind_of_target() -> None:
    found: set[tuple[str, str, str]] = set()
    for seed in range(150):
        documents = a_world(seed, all_kinds()).documents
        for each in (one for one in documents if is_valid(one) and one["type"] in KINDS):
            spec = each["spec"]
            found.add((each["type"], "top", spec.get("targetRef", {}).get("kind", "Mesh")))
            for part in ("to", "from"):
                kinds = (entry["targetRef"]["kind"] for entry in spec.get(part) or ())
                found.update((each["type"], part, kind) for kind in kinds)
    for kind, shape in KINDS.items():
        wanted = {(kind, "top", each) for each in (*shape.top, "Mesh", "Dataplane", "MeshSubset")}
        wanted |= {(kind, "to", each) for each in shape.to}
        wanted |= {(kind, "from", each) for each in shape.from_}
        assert not wanted - found


def test_a_document_is_put_again_without_what_was_wrong() -> None:
    document = {"type": "T", "name": "n", "labels": {"a.b/c": "x"}, "spec": {"to": [{"a": 1}, 2]}}
    assert without(document, ['labels["a.b/c"]', "spec.to[0].missing.part", "spec.to[1]"]) == {
        "type": "T", "name": "n", "labels": {}, "spec": {"to": []},
    }  # fmt: skip
    assert without(document, ["name", "unheard"]) is None


def test_differences_are_told_with_their_path() -> None:
    ours = {"a": [1, {"b": True}], "c": 1}
    theirs = {"a": [1, {"b": 1}], "d": None}
    assert list(differences(ours, theirs)) == [
        Difference("a[1].b", True, 1),
        Difference("c", 1, "(absent)"),
        Difference("d", "(absent)", None),
    ]
