import json
import re
from datetime import timedelta
from typing import Any

import pytest

from kuma.app.ctl.errors import CtlError
from kuma.app.ctl.overviews import DATAPLANES, ZONES, dataplane_status
from kuma.app.ctl.parts import find_part, layout_rows, policy_rows, route_rows
from kuma.app.ctl.rules_in_force import HEADERS, rule_rows, warnings_of
from kuma.policies.meshtimeout import KIND as TIMEOUT
from kuma.policies.meshtrafficpermission import KIND as PERMISSION
from kuma.resolve.explain import explain_rules
from kuma.resources.resource import AnyResource
from tests.ctl.cli import Shell
from tests.ctl.running_api import RunningApi
from tests.resolve.world import a_view
from tests.support.builders import (
    NOW,
    a_dataplane,
    a_dataplane_insight,
    a_mesh,
    a_resource,
    an_external_service,
    an_inbound,
)

MESH = {"kind": "Mesh"}
SUBSCRIPTION = {
    "id": "1",
    "connectTime": "2026-01-01T00:00:00Z",
    "status": {
        "lastUpdateTime": "2026-01-01T00:30:00Z",
        "total": {"responsesSent": "12", "responsesAcknowledged": "10", "responsesRejected": "2"},
        "lastRejection": {
            "type": "Cluster",
            "message": "bad\n  timeout",
            "time": "2026-01-01T00:58:00Z",
        },
    },
    "version": {
        "kumaDp": {"version": "2.14.3"},
        "envoy": {"version": "1.40.0"},
        "dependencies": {"coredns": "1.12"},
    },
}
MTLS = {
    "certificateExpirationTime": "2026-01-02T00:00:00Z",
    "lastCertificateRegeneration": "2026-01-01T00:50:00Z",
    "certificateRegenerations": 3,
    "issuedBackend": "ca-1",
    "supportedBackends": ["ca-1", "ca-2"],
}


def a_timeout(name: str, **spec: Any) -> AnyResource:
    to = [{"targetRef": MESH, "default": {"idleTimeout": "10s"}}]
    return a_resource(TIMEOUT, name, {"to": to, **spec})


def test_dataplanes_show_all_that_is_known(
    api: RunningApi, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    shell.clock.advance(timedelta(hours=1))
    api.add(
        a_dataplane("dp-1", service="web"),
        a_dataplane_insight("dp-1", spec={"subscriptions": [SUBSCRIPTION], "mTLS": MTLS}),
    )
    header, row = shell.out("inspect", "dataplanes").splitlines()
    cells = {
        title: row[header.index(title) :].split("   ", 1)[0].strip() for title in DATAPLANES.headers
    }
    assert cells == {
        "MESH": "default",
        "NAME": "dp-1",
        "TAGS": "kuma.io/protocol=http kuma.io/service=web",
        "STATUS": "Online",
        "LAST CONNECTED AGO": "1h",
        "LAST UPDATED AGO": "30m",
        "TOTAL UPDATES": "12",
        "TOTAL ERRORS": "2",
        "CERT REGENERATED AGO": "10m",
        "CERT EXPIRATION": "2026-01-02 00:00:00",
        "CERT REGENERATIONS": "3",
        "CERT BACKEND": "ca-1",
        "SUPPORTED CERT BACKENDS": "ca-1,ca-2",
        "KUMA-DP VERSION": "2.14.3",
        "ENVOY VERSION": "1.40.0",
        "DEPENDENCIES VERSIONS": "coredns: 1.12",
        "NOTES": "rejected 2m ago: Cluster: bad timeout",
    }


def test_dataplanes_are_filtered_by_tags_and_kind(api: RunningApi, shell: Shell) -> None:
    api.add(
        a_dataplane("dp-1", service="web", tags={"version": "v1"}),
        a_dataplane("dp-2", service="web", tags={"version": "v2"}),
        a_dataplane("dp-3", gateway="edge"),
    )

    def names(*arguments: str) -> list[str]:
        rows = shell.out("inspect", "dataplanes", *arguments).splitlines()[1:]
        return [row.split()[1] for row in rows]

    assert names() == ["dp-1", "dp-2", "dp-3"]
    assert names("--tag", "kuma.io/service=web", "--tag=version=v2") == ["dp-2"]
    assert names("--gateway") == ["dp-3"]
    assert names("--gateway=false") == ["dp-1", "dp-2", "dp-3"]


def test_more_than_a_page_is_shown_whole(api: RunningApi, shell: Shell) -> None:
    api.add(*(a_dataplane(f"dp-{index}") for index in range(1001)))
    assert len(shell.out("inspect", "dataplanes").splitlines()) == 1002


READY = {"port": 80}
NOT_READY = {"port": 81, "health": {"ready": False}, "tags": {"kuma.io/service": "web"}}
CONNECTED = {"connectTime": "2026-01-01T00:00:00Z"}
GONE = {**CONNECTED, "disconnectTime": "2026-01-01T00:01:00Z"}


@pytest.mark.parametrize(
    ("networking", "subscriptions", "status"),
    [
        ({"inbound": [READY]}, [], "Offline"),
        ({"inbound": [READY]}, [GONE], "Offline"),
        ({"inbound": [READY]}, [GONE, CONNECTED], "Online"),
        ({"inbound": [READY, NOT_READY]}, [CONNECTED], "Partially degraded"),
        ({"inbound": [{"port": 80, "state": "NotReady"}]}, [CONNECTED], "Offline"),
        ({"inbound": [NOT_READY]}, [CONNECTED], "Offline"),
        ({"gateway": {"tags": {}}}, [CONNECTED], "Online"),
        ({"gateway": {"tags": {}}}, [], "Offline"),
    ],
)
def test_a_dataplane_is_online_with_its_inbounds(
    networking: dict[str, Any], subscriptions: list[dict[str, Any]], status: str
) -> None:
    insight = {"subscriptions": subscriptions}
    document = {"dataplane": {"networking": networking}, "dataplaneInsight": insight}
    assert dataplane_status(document) == status


def test_inbounds_that_are_not_ready_are_noted() -> None:
    document = {"name": "dp", "dataplane": {"networking": {"inbound": [READY, NOT_READY]}}}
    assert DATAPLANES.row(document, NOW)[-1] == "inbound[port=81,svc=web] is not ready"


def test_a_zone_tells_what_its_control_plane_told() -> None:
    told = {**SUBSCRIPTION, "version": {"kumaCp": {"version": "2.14.3"}}}
    told["config"] = '{"store": {"type": "postgres"}}'
    document = {"name": "east", "zone": {}, "zoneInsight": {"subscriptions": [told]}}
    at = NOW + timedelta(hours=1)
    assert ZONES.row(document, at) == (
        "east", "Online", "1h", "30m", "12", "2", "2.14.3", "postgres",
    )  # fmt: skip
    assert ZONES.row({**document, "zone": {"enabled": False}}, at)[1] == "Offline"


def test_services_and_meshes(api: RunningApi, shell: Shell) -> None:
    api.add(
        a_dataplane("dp-1", service="web"),
        a_dataplane("dp-2", service="web"),
        a_dataplane_insight("dp-1"),
        an_external_service("es-1", service="es"),
        a_timeout("mt-1"),
        a_mesh("m-1"),
    )
    assert shell.out("inspect", "services") == (
        "SERVICE   STATUS               DATAPLANES\n"
        "es        Offline              0/0\n"
        "web       Partially degraded   1/2\n"
    )
    assert "type: ServiceOverview\n" in shell.out("inspect", "services", "-o", "yaml")
    assert shell.out("inspect", "meshes") == (
        "MESH      DATAPLANES   SERVICES   EXTERNAL SERVICES   POLICIES\n"
        "default   1/2          1          1                   MeshTimeout=1\n"
        "m-1       0/0          0          0                   -\n"
    )
    assert shell.out("inspect", "zones").splitlines()[0].startswith("NAME   STATUS")


def test_the_format_may_stand_at_the_group(api: RunningApi, shell: Shell) -> None:
    one = shell.out("inspect", "-o", "yaml", "meshes")
    assert one == shell.out("inspect", "meshes", "-o=yaml")
    assert one.startswith("items:\n- ")
    assert shell.out("inspect", "-o", "yaml", "meshes", "-o", "table").startswith("MESH")


def test_a_policy_shows_whom_it_selects(api: RunningApi, shell: Shell) -> None:
    api.add(a_dataplane("dp-1"), a_dataplane("dp-2"), a_timeout("mt-1"))
    assert shell.out("inspect", "meshtimeout", "mt-1") == (
        "Affected data plane proxies:\n\n  dp-1\n  dp-2\n"
    )
    assert "- labels: {}\n  mesh: default\n  name: dp-1" in shell.out(
        "inspect", "meshtimeout", "mt-1", "-o", "yaml"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--type=config"], '{\n  "asked": "config",\n  "shadow": false,\n  "diff": false\n}\n'),
        (
            ["--type=config", "--shadow", "--include", "diff", "-o", "yaml"],
            "asked: config\ndiff: true\nshadow: true\n",
        ),
        (["--type", "config-dump", "--include-eds"], "xds text True"),
        (["--config-dump"], "xds text False"),
        (["--type=stats"], "stats text False"),
        (["--type=clusters"], "clusters text False"),
        (["-o", "json"], '{\n  "asked": "rules",\n  "mesh": "default",\n  "name": "dp-1"\n}\n'),
    ],
)
def test_a_dataplane_is_shown_from_all_sides(
    arguments: list[str], said: str, api: RunningApi, shell: Shell
) -> None:
    api.add(a_dataplane("dp-1"))
    assert shell.out("inspect", "dataplane", "dp-1", *arguments) == said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["dataplane", "x"], 'there is no Dataplane "x" in mesh "default"'),
        (["dataplane", "x", "--shadow"], "flag '--shadow' can be used only when '--type=config'"),
        (
            ["dataplane", "x", "--include-eds"],
            "flag '--include-eds' can be used only when '--type=config-dump'",
        ),
        (
            ["dataplane", "never-connected", "--type=config"],
            'dataplane "never-connected" has not connected yet, so there is no configuration',
        ),
        (["dataplanes", "-m", "x"], 'there is no mesh "x", see kumactl get meshes'),
        (["dataplanes", "--tag", "x"], '--tag: "x" must be formatted as key=value'),
        (["meshtimeout", "x"], 'there is no MeshTimeout "x" in mesh "default"'),
        (
            ["meshtimeoot", "x"],
            'unknown type of resource "meshtimeoot", did you mean "meshtimeout"?',
        ),
        (["secret", "x"], "Secret is not a policy that selects dataplanes by targetRef"),
        (
            ["nope"],
            (
                'unknown command "nope" for "kumactl inspect". '
                "If it is a policy, its NAME is missing.\nRun 'kumactl inspect --help' for usage."
            ),
        ),
        (
            ["dataplanez"],
            (
                'unknown command "dataplanez" for "kumactl inspect", did you mean "dataplane"? '
                "If it is a policy, its NAME is missing.\nRun 'kumactl inspect --help' for usage."
            ),
        ),
    ],
)
def test_what_cannot_be_inspected_is_told(
    arguments: list[str], problem: str, api: RunningApi, shell: Shell
) -> None:
    api.add(a_dataplane("never-connected"))
    assert shell.run("inspect", *arguments).problem == problem


LAYOUT = {
    "inbounds": [
        {
            "kri": "kri_dp_default___dp-1_http",
            "port": 80,
            "protocol": "http",
            "proxyResourceName": "self_inbound_dp_http",
        }
    ],
    "outbounds": [
        {
            "kri": f"kri_msvc_default___api_{section}",
            "port": port,
            "protocol": "tcp",
            "proxyResourceName": f"kri_msvc_default___api_{section}",
        }
        for section, port in (("http", 80), ("5432", 5432))
    ],
    "listeners": [],
}


def test_the_layout_is_a_table() -> None:
    assert list(layout_rows(LAYOUT)) == [
        ("inbound", "80", "http", "kri_dp_default___dp-1_http", "self_inbound_dp_http"),
        ("outbound", "80", "tcp", "kri_msvc_default___api_http", "kri_msvc_default___api_http"),
        ("outbound", "5432", "tcp", "kri_msvc_default___api_5432", "kri_msvc_default___api_5432"),
    ]


@pytest.mark.parametrize(
    ("part", "wanted", "kri"),
    [
        ("inbound", "http", "kri_dp_default___dp-1_http"),
        ("inbound", "80", "kri_dp_default___dp-1_http"),
        ("outbound", "kri_msvc_default___api_http", "kri_msvc_default___api_http"),
        ("outbound", "api:http", "kri_msvc_default___api_http"),
        ("outbound", "api:5432", "kri_msvc_default___api_5432"),
    ],
)
def test_a_part_is_found_by_what_identifies_it(part: str, wanted: str, kri: str) -> None:
    assert find_part(LAYOUT, part, wanted) == kri


@pytest.mark.parametrize(
    ("layout", "part", "wanted", "problem"),
    [
        (
            LAYOUT,
            "outbound",
            "api",
            (
                '--outbound: "api" could be any of: '
                "kri_msvc_default___api_http, kri_msvc_default___api_5432"
            ),
        ),
        (
            LAYOUT,
            "inbound",
            "x",
            '--inbound: "x" is no inbound of the proxy, which has: kri_dp_default___dp-1_http',
        ),
        ({}, "outbound", "x", '--outbound: "x" is no outbound of the proxy, which has: none'),
    ],
)
def test_a_part_that_is_not_found_is_told_with_those_that_there_are(
    layout: dict[str, Any], part: str, wanted: str, problem: str
) -> None:
    with pytest.raises(CtlError, match=re.escape(problem)):
        find_part(layout, part, wanted)


KRI, OTHER = "kri_mt_default___a_", "kri_mt_default___b_"


def test_policies_on_a_part_are_told_with_their_origins() -> None:
    confs = [{"conf": {"x": 1}, "kri": KRI}, {"conf": {"x": 2}, "kri": OTHER}]
    answer = {
        "policies": [
            {"kind": "P", "origins": [{"kri": KRI}, {"kri": OTHER}], "rules": confs},
            {
                "kind": "Q",
                "conf": [{"y": 1}],
                "origins": [{"kri": KRI}, {"kri": OTHER}, {"kri": KRI}],
            },
        ]
    }
    assert list(policy_rows(answer)) == [
        ("P", "x: 1", KRI),
        ("P", "x: 2", OTHER),
        ("Q", "y: 1", f"{OTHER}, {KRI}"),
    ]


def test_routes_are_told_with_their_matches_and_origins() -> None:
    matches = [{"path": {"type": "Exact", "value": "/x"}}, {"method": "GET"}]
    rules = [
        {"conf": {"x": 1}, "kri": KRI, "matches": matches},
        {"conf": {}, "kri": OTHER, "matches": []},
    ]
    assert list(route_rows({"routes": [{"kind": "R", "rules": rules}]})) == [
        ("R", "path.type: Exact, path.value: /x or method: GET", "x: 1", KRI),
        ("R", "everything", "", OTHER),
    ]


EXCLUSIVE = a_mesh("exclusive", spec={"meshServices": {"mode": "Exclusive"}})


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["--type=layout"], {"asked": "layout", "name": "dp-1"}),
        (["--inbound=http"], {"asked": "inbound", "kri": "kri_dp_default___dp-1_http"}),
        (
            ["--outbound=api:80", "--route=kri_mhttpr_default___r_"],
            {
                "asked": "outbound",
                "kri": "kri_msvc_default___api_http",
                "route": "kri_mhttpr_default___r_",
            },
        ),
        (
            ["--type=routes", "--outbound=api:80"],
            {"asked": "routes", "kri": "kri_msvc_default___api_http"},
        ),
    ],
)
def test_parts_are_asked_for(
    arguments: list[str], asked: dict[str, Any], api: RunningApi, shell: Shell
) -> None:
    api.add(EXCLUSIVE, a_dataplane("dp-1", mesh="exclusive"))
    api.control_plane.inspector.parts = LAYOUT
    ran = shell.run("inspect", "dataplane", "dp-1", "-m", "exclusive", *arguments, "-o", "json")
    answer = json.loads(ran.out)
    assert {key: answer[key] for key in asked} == asked


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["--type=routes"],
            "'--type=routes' needs '--outbound', see --type=layout for those that there are",
        ),
        (
            ["--route=x"],
            "flag '--route' needs '--outbound', see --type=layout for those that there are",
        ),
        (["--inbound=a", "--outbound=b"], "flags '--inbound' and '--outbound' exclude each other"),
        (
            ["--type=stats", "--inbound=a"],
            "flag '--inbound' can be used only when '--type=policies'",
        ),
        (
            ["--type=layout", "--outbound=a"],
            "flag '--outbound' can be used only when '--type=policies' or '--type=routes'",
        ),
        (
            ["--type=layout"],
            'layout, routes and parts need meshServices.mode Exclusive, which mesh "default" has not',
        ),
    ],
)
def test_parts_that_cannot_be_shown_are_explained(
    arguments: list[str], problem: str, api: RunningApi, shell: Shell
) -> None:
    api.add(a_dataplane("dp-1"))
    assert shell.run("inspect", "dataplane", "dp-1", *arguments).problem == problem


def test_rules_in_force_are_told_with_target_and_origin() -> None:
    client = {"kind": "MeshSubset", "tags": {"kuma.io/service": "web"}}
    view = a_view(
        a_dataplane("dp-1", inbounds=[an_inbound("api", 80), an_inbound("api", 81)]),
        a_timeout(
            "everywhere", **{"from": [{"targetRef": MESH, "default": {"idleTimeout": "5s"}}]}
        ),
        a_resource(
            PERMISSION,
            "web-only",
            {"from": [{"targetRef": client, "default": {"action": "Allow"}}]},
        ),
    )
    answer = explain_rules(view, "dp-1")
    inbounds = "inbounds 80, 81 from"
    assert sorted(rule_rows(answer)) == [
        ("MeshTimeout", f"{inbounds} all clients", "idleTimeout: 5s", "everywhere"),
        ("MeshTimeout", "to all services", "idleTimeout: 10s", "everywhere"),
        ("MeshTrafficPermission", f"{inbounds} kuma.io/service=web", "action: Allow", "web-only"),
    ]
    assert warnings_of(answer) == []
    assert len(HEADERS) == 4


def test_rules_of_proxies_resources_and_matches_are_told_too() -> None:
    origin = [{"resourceMeta": {"name": "p-1"}, "ruleIndex": 0}]
    rule = {
        "match": {"path": "/x"},
        "conf": [{"a": True}, {"b": ["c", "d" * 80]}],
        "origin": origin,
    }
    service = {"type": "MeshService", "name": "api"}
    answer = {
        "rules": [
            {
                "type": "P",
                "proxyRule": {"conf": {"x": 1}, "origin": origin},
                "inboundRules": [{"inbound": {"port": 80}, "rules": [rule]}],
                "toResourceRules": [
                    {
                        "resourceMeta": service,
                        "resourceSectionName": "http",
                        "conf": [{}],
                        "origin": origin,
                    },
                    {"resourceMeta": {"type": "Mesh"}, "conf": [{"y": 2}], "origin": origin},
                ],
                "warnings": ["odd", "odd"],
            }
        ]
    }
    rows = rule_rows(answer)
    assert rows[0] == ("P", "the proxy", "x: 1", "p-1")
    assert rows[1][:2] == ("P", "inbound 80 from path: /x")
    assert rows[1][2].startswith("a: true; b[0]: c, b[1]: ddd")
    assert rows[1][2].endswith("...")
    assert rows[2:] == [
        ("P", "to MeshService api http", "", "p-1"),
        ("P", "to all services", "y: 2", "p-1"),
    ]
    assert warnings_of(answer) == ["odd"]
