"""The declarations, against what `/_resources` of Kuma 2.14.3 lists."""

import pytest

from kuma.resources.kind import Scope
from kuma.resources.kinds.catalogue import CORE_KINDS
from kuma.resources.kinds.unsupported import Unsupported, find_unsupported
from tests.support.builders import a_dataplane

LISTED = {
    ("Dataplane", "dataplanes", "dp", Scope.MESH, False, "Dataplanes"),
    ("DataplaneInsight", "dataplane-insights", "", Scope.MESH, True, "Dataplane Insights"),
    ("ExternalService", "external-services", "", Scope.MESH, False, "External Services"),
    ("GlobalSecret", "global-secrets", "", Scope.GLOBAL, False, "Global Secrets"),
    ("Mesh", "meshes", "m", Scope.GLOBAL, False, "Meshes"),
    ("MeshInsight", "mesh-insights", "", Scope.GLOBAL, True, "Mesh Insights"),
    (
        "MeshExternalService",
        "meshexternalservices",
        "extsvc",
        Scope.MESH,
        False,
        "Mesh External Services",
    ),
    (
        "MeshOpenTelemetryBackend",
        "meshopentelemetrybackends",
        "motb",
        Scope.MESH,
        False,
        "Mesh OpenTelemetry Backends",
    ),
    ("MeshIdentity", "meshidentities", "mid", Scope.MESH, False, "Mesh Identities"),
    ("MeshTrust", "meshtrusts", "mtrust", Scope.MESH, False, "Mesh Trusts"),
    ("MeshService", "meshservices", "msvc", Scope.MESH, False, "Mesh Services"),
    (
        "MeshMultiZoneService",
        "meshmultizoneservices",
        "mzsvc",
        Scope.MESH,
        False,
        "Mesh Multi Zone Services",
    ),
    (
        "HostnameGenerator",
        "hostnamegenerators",
        "hg",
        Scope.GLOBAL,
        False,
        "Hostname Generators",
    ),
    ("Workload", "workloads", "wl", Scope.MESH, False, "Workloads"),
    ("Secret", "secrets", "", Scope.MESH, False, "Secrets"),
    ("ServiceInsight", "service-insights", "", Scope.MESH, True, "Service Insights"),
    ("Zone", "zones", "z", Scope.GLOBAL, False, "Zones"),
    ("ZoneInsight", "zone-insights", "", Scope.GLOBAL, True, "Zone Insights"),
}


def test_the_kinds_with_routes_are_those_of_kuma() -> None:
    assert {
        (k.name, k.path, k.short, k.scope, k.read_only, k.display_plural or k.plural)
        for k in CORE_KINDS
        if k.path
    } == LISTED


def test_only_secrets_need_an_admin() -> None:
    assert {k.name for k in CORE_KINDS if k.admin_only} == {"Secret", "GlobalSecret"}


def test_a_table_of_unsupported_fields_cannot_name_one_that_does_not_exist() -> None:
    with pytest.raises(LookupError, match="DataplaneNetworking has no field inbounds"):
        find_unsupported(a_dataplane().spec, (Unsupported("networking.inbounds[]", "x"),))


def test_an_unsupported_field_is_found_in_every_element() -> None:
    spec = a_dataplane(
        inbounds=[{"port": 1, "name": "a"}, {"port": 2}, {"port": 3, "name": "c"}]
    ).spec
    table = (Unsupported("networking.inbound[].name", "names"),)
    assert [each.field for each in find_unsupported(spec, table)] == [
        "networking.inbound[0].name",
        "networking.inbound[2].name",
    ]
