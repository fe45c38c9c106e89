"""Names kept change by change are those that a look at everything gives."""

from datetime import timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from kuma.pipeline.hostnames import Hostnames
from kuma.resources.kinds.hostname_generator import HOSTNAME_GENERATOR
from kuma.resources.kinds.mesh_external_service import MESH_EXTERNAL_SERVICE
from kuma.resources.kinds.mesh_service import MESH_SERVICE
from kuma.resources.meta import ResourceKey
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from tests.support.builders import NOW, a_resource

NAMES = st.sampled_from(["one", "two"])
MESHES = st.sampled_from(["default", "other"])
AGES = st.integers(0, 2).map(lambda seconds: NOW + timedelta(seconds=seconds))
LABELS = st.dictionaries(st.sampled_from(["a", "kuma.io/origin"]), st.sampled_from(["x", "zone"]))
TEMPLATES = st.sampled_from(["fixed", "{{ .Name }}", '{{ label "a" }}', "{{ .Mesh }}"])
SPECS = {MESH_SERVICE: {}, MESH_EXTERNAL_SERVICE: {"match": {"port": 80}}}
SELECTORS = st.builds(
    lambda kind, labels: {kind: {"matchLabels": labels}},
    st.sampled_from(["meshService", "meshExternalService"]),
    LABELS,
)
SERVICES = st.builds(
    lambda kind, name, mesh, labels, created: a_resource(
        kind, name, SPECS[kind], mesh=mesh, labels=labels, created=created
    ),
    st.sampled_from(list(SPECS)),
    NAMES,
    MESHES,
    LABELS,
    AGES,
)
GENERATORS = st.builds(
    lambda name, selector, template, labels, created: a_resource(
        HOSTNAME_GENERATOR,
        name,
        {"selector": selector, "template": template},
        labels=labels,
        created=created,
    ),
    NAMES,
    SELECTORS,
    TEMPLATES,
    LABELS,
    AGES,
)
CHANGES = st.one_of(
    st.one_of(SERVICES, GENERATORS).map(lambda each: Change(each.key, each)),
    st.one_of(SERVICES, GENERATORS).map(lambda each: Change(each.key, None)),
)


def names_of(hostnames: Hostnames, held: dict[ResourceKey, AnyResource]) -> dict[Any, Any]:
    keys = [key for key in held if key.kind != HOSTNAME_GENERATOR.name]
    return {key: (hostnames.addresses_of(key), hostnames.statuses_of(key)) for key in keys}


FIXED = {"selector": {"meshService": {}}, "template": "fixed"}
OLD, OTHER, YOUNG = (
    a_resource(MESH_SERVICE, name, {}, created=NOW + timedelta(seconds=age))
    for name, age in (("one", 0), ("two", 1), ("one", 2))
)


@example(
    [Change(e.key, e) for e in (a_resource(HOSTNAME_GENERATOR, "g", FIXED), OLD, OTHER, YOUNG)]
)
@given(st.lists(CHANGES, max_size=15))
def test_names_are_those_that_a_look_at_everything_gives(changes: list[Change]) -> None:
    hostnames, held = Hostnames("here"), dict[ResourceKey, AnyResource]()
    for change in changes:
        before = names_of(hostnames, held)
        if change.resource is None:
            held.pop(change.key, None)
        else:
            held[change.key] = change.resource

        touched = hostnames.changed(change)

        now, anew = names_of(hostnames, held), Hostnames("here")
        for each in held.values():
            anew.changed(Change(each.key, each))
        assert now == names_of(anew, held)
        assert {key for key in now if now[key] != before.get(key, ((), ()))} <= touched


@given(st.lists(st.one_of(SERVICES, GENERATORS), max_size=10))
def test_no_name_has_two_services(resources: list[AnyResource]) -> None:
    hostnames, held = Hostnames("here"), {each.key: each for each in resources}
    for each in held.values():
        hostnames.changed(Change(each.key, each))

    owners: dict[tuple[str, str], ResourceKey] = {}
    for key, (addresses, _) in names_of(hostnames, held).items():
        for address in addresses:
            assert owners.setdefault((key.mesh, address.hostname), key) == key
