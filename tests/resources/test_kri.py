import pytest

from kuma.resources.kri import InvalidKri, Kri, find_by_kri, kri_of, parse_kri
from tests.resources.claims import REGISTRY
from tests.support.builders import a_dataplane, a_mesh, a_secret
from tests.support.replicas import replica_of

IN_EAST = {
    "kuma.io/zone": "east",
    "k8s.kuma.io/namespace": "shop",
    "kuma.io/display-name": "api",
}


def test_a_kri_names_mesh_zone_namespace_and_display_name() -> None:
    dataplane = a_dataplane("api-x7f", labels=IN_EAST)
    assert str(kri_of(dataplane)) == "kri_dp_default_east_shop_api_"
    assert str(kri_of(a_mesh("default"))) == "kri_m____default_"


def test_kinds_without_a_short_name_have_none() -> None:
    assert kri_of(a_secret()) is None


def test_a_kri_reads_back() -> None:
    kri = Kri("dp", "default", "east", "", "api-1", "http")
    assert str(kri) == "kri_dp_default_east__api-1_http"
    assert parse_kri(str(kri)) == kri


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kri_dp_default", 'invalid identifier string: "kri_dp_default"'),
        ("rik_dp_default_east__api_", "identifier must start with 'kri'"),
    ],
)
def test_anything_else_is_no_kri(text: str, message: str) -> None:
    with pytest.raises(InvalidKri, match=message):
        parse_kri(text)


def test_a_resource_is_found_by_its_kri_and_by_those_of_its_sections() -> None:
    api, web = a_dataplane("api-x7f", labels=IN_EAST), a_dataplane("web")
    replica = replica_of(web, api)
    kri = kri_of(api)
    assert kri is not None
    assert find_by_kri(kri, REGISTRY, replica) is api
    assert find_by_kri(kri.with_section("http"), REGISTRY, replica) is api
    assert find_by_kri(parse_kri("kri_dp_default_west__web_"), REGISTRY, replica) is None


def test_an_unknown_short_name_is_said() -> None:
    with pytest.raises(InvalidKri, match='unknown short name of resource type: "zz"'):
        find_by_kri(parse_kri("kri_zz_default_east__api_"), REGISTRY, replica_of())


def test_an_overview_does_not_hide_its_resource() -> None:
    assert REGISTRY.find_by_short("dp") is REGISTRY.kind("Dataplane")
