"""Documents as Kuma 2.14.3 shows them, and what it says of those that are wrong."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma.resources.codec import document_bytes, parse_document, read_document, to_document
from kuma.resources.errors import InvalidResource
from kuma.resources.kind import Kind, Scope
from kuma.resources.registry import Registry
from kuma.resources.resource import AnyResource
from kuma.resources.spec import SpecModel
from tests.resources.claims import REGISTRY, parsing
from tests.support.builders import (
    a_dataplane,
    a_dataplane_insight,
    a_global_secret,
    a_mesh,
    a_resource,
    a_secret,
    a_zone,
    an_external_service,
)

NAME = (
    "invalid characters. A lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
    "characters, '-' or '.', and must start and end with an alphanumeric character"
)
QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL_NAME = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    f"validation is '{QUALIFIED}')"
)
LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    f"'12345', regex used for validation is '({QUALIFIED})?')"
)


class WidgetSpec(SpecModel):
    size: int = 1
    colour: str | None = None


class WidgetStatus(SpecModel):
    ready: bool = False


WIDGET = Kind(
    name="Widget",
    plural="Widgets",
    scope=Scope.MESH,
    spec=WidgetSpec,
    status=WidgetStatus,
    path="widgets",
    short="w",
)
"""A kind with spec and status of their own, as policies have."""

WITH_WIDGET = Registry([*REGISTRY, WIDGET])


def test_a_dataplane_is_shown_as_by_kuma() -> None:
    dataplane = a_dataplane(
        "dp1",
        inbounds=[
            {
                "port": 80,
                "servicePort": 8080,
                "tags": {"kuma.io/zone": "default", "kuma.io/service": "a"},
                "state": "Ready",
                "health": {},
            }
        ],
        labels={"kuma.io/zone": "default", "app": "x"},
        created=datetime(2026, 11, 22, 7, 14, 42, 897175, tzinfo=UTC),
        modified=datetime(2026, 11, 22, 7, 14, 43, 500000, tzinfo=UTC),
    )
    expected = {
        "type": "Dataplane",
        "mesh": "default",
        "name": "dp1",
        "creationTime": "2026-11-22T07:14:42.897175Z",
        "modificationTime": "2026-11-22T07:14:43.5Z",
        "labels": {"app": "x", "kuma.io/zone": "default"},
        "kri": "kri_dp_default_default__dp1_",
        "networking": {
            "address": "127.0.0.1",
            "inbound": [
                {
                    "port": 80,
                    "servicePort": 8080,
                    "tags": {"kuma.io/service": "a", "kuma.io/zone": "default"},
                    "health": {},
                }
            ],
        },
    }
    assert to_document(dataplane) == expected
    text = json.dumps(expected, separators=(",", ":"))
    assert document_bytes(dataplane).decode() == text, "in the same order, too"


def test_zero_values_are_left_out_and_wrapped_ones_shown() -> None:
    mesh = a_mesh(
        "m1",
        spec={
            "mtls": {
                "enabledBackend": "ca-1",
                "backends": [
                    {
                        "name": "ca-1",
                        "type": "builtin",
                        "mode": "STRICT",
                        "dpCert": {"rotation": {"expiration": "1d"}, "requestTimeout": "1m"},
                        "conf": {"caCert": {"RSAbits": 2048, "expiration": "10y"}},
                    }
                ],
                "skipValidation": False,
            },
            "networking": {"outbound": {"passthrough": False}},
            "routing": {"localityAwareLoadBalancing": False},
            "constraints": {},
            "meshServices": {"mode": "Disabled"},
            "skipCreatingInitialPolicies": ["*"],
        },
    )
    assert to_document(mesh) == {
        "type": "Mesh",
        "name": "m1",
        "creationTime": "2026-01-01T00:00:00Z",
        "modificationTime": "2026-01-01T00:00:00Z",
        "kri": "kri_m____m1_",
        "mtls": {
            "enabledBackend": "ca-1",
            "backends": [
                {
                    "name": "ca-1",
                    "type": "builtin",
                    "dpCert": {"rotation": {"expiration": "1d"}, "requestTimeout": "60s"},
                    "conf": {"caCert": {"RSAbits": 2048, "expiration": "10y"}},
                }
            ],
        },
        "networking": {"outbound": {"passthrough": False}},
        "routing": {},
        "constraints": {},
        "skipCreatingInitialPolicies": ["*"],
        "meshServices": {},
    }


def test_secrets_show_standard_base64_and_no_kri() -> None:
    document = to_document(a_secret("s1", b"\xfb\xff"))
    assert document["data"] == "+/8="
    assert "kri" not in document
    assert to_document(a_global_secret("s1"))["type"] == "GlobalSecret"


def test_a_secret_keeps_its_data_out_of_its_repr() -> None:
    assert "hidden" not in repr(a_secret(data=b"hidden").spec)


def test_an_external_service_is_shown_as_by_kuma() -> None:
    service = an_external_service(
        "es1",
        service="es",
        address="example.com:443",
        tls={
            "enabled": True,
            "caCert": {"inline": "aGVsbG8="},
            "allow_renegotiation": True,
            "serverName": "x",
            "skipHostnameVerification": False,
        },
    )
    document = to_document(service)
    assert document["networking"] == {
        "address": "example.com:443",
        "tls": {
            "enabled": True,
            "caCert": {"inline": "aGVsbG8="},
            "allowRenegotiation": True,
            "serverName": "x",
            "skipHostnameVerification": False,
        },
    }


def test_an_insight_is_shown_as_by_kuma() -> None:
    """64-bit counters as strings, structs as they are, times in UTC."""
    status = {
        "lastUpdateTime": "2026-11-22T08:23:03.655660+01:00",
        "total": {"responsesSent": "3", "responsesAcknowledged": "1", "responsesRejected": 2},
        "eds": {},
    }
    subscription = {
        "id": "be51905e",
        "controlPlaneInstanceId": "vm-7163",
        "connectTime": "2026-11-22T07:22:57.489105098Z",
        "status": status,
        "version": {
            "kumaDp": {"version": "2.14.3", "kumaCpCompatible": True},
            "envoy": {"version": "1.40.0", "kumaDpCompatible": False},
        },
    }
    insight = a_dataplane_insight(
        spec={
            "subscriptions": [subscription],
            "mTLS": {"issuedBackend": "ca-1", "certificateRegenerations": 1},
            "metadata": {"dataplane.admin.port": "9901", "otel": {"logs": None}},
        }
    )
    document = to_document(insight)
    assert document["subscriptions"] == [
        {
            "id": "be51905e",
            "controlPlaneInstanceId": "vm-7163",
            "connectTime": "2026-11-22T07:22:57.489105Z",
            "status": {
                "lastUpdateTime": "2026-11-22T07:23:03.65566Z",
                "total": {
                    "responsesSent": "3",
                    "responsesAcknowledged": "1",
                    "responsesRejected": "2",
                },
                "eds": {},
            },
            "version": {
                "kumaDp": {"version": "2.14.3", "kumaCpCompatible": True},
                "envoy": {"version": "1.40.0"},
            },
        }
    ]
    assert document["mTLS"] == {"certificateRegenerations": 1, "issuedBackend": "ca-1"}
    assert document["metadata"] == {"dataplane.admin.port": "9901", "otel": {"logs": None}}


def test_a_kind_of_its_own_spec_nests_spec_and_status() -> None:
    widget = parse_document(
        WITH_WIDGET,
        {
            "type": "Widget",
            "mesh": "default",
            "name": "w1",
            "spec": {"size": 2},
            "status": {"ready": True},
        },
    )
    assert to_document(widget) == {
        "type": "Widget",
        "mesh": "default",
        "name": "w1",
        "creationTime": "0001-01-01T00:00:00Z",
        "modificationTime": "0001-01-01T00:00:00Z",
        "kri": "kri_w_default___w1_",
        "spec": {"size": 2},
        "status": {"ready": True},
    }
    assert json.loads(document_bytes(widget)) == to_document(widget)


def test_bytes_are_built_once_per_resource() -> None:
    dataplane = a_dataplane()
    assert document_bytes(dataplane) is document_bytes(dataplane)
    other = dataplane.with_labels({"app": "x"})
    assert json.loads(document_bytes(other))["labels"] == {"app": "x"}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ([], [("", "must be an object with the fields of a resource")]),
        ({}, [("type", "must be defined")]),
        ({"type": 1}, [("type", "must be a string")]),
        (
            {"type": "Dataplan"},
            [("type", 'unknown resource type "Dataplan", did you mean "Dataplane"?')],
        ),
        (
            {"apiVersion": "kuma.io/v1alpha1", "kind": "Mesh"},
            [
                (
                    "type",
                    (
                        "must be defined; this looks like a Kubernetes manifest, "
                        "the universal form is needed"
                    ),
                )
            ],
        ),
        (
            {"type": "Secret"},
            [("name", "cannot be empty"), ("mesh", "cannot be empty")],
        ),
        (
            {"type": "Secret", "name": "A_b", "mesh": "Default"},
            [
                ("name", NAME),
                (
                    "mesh",
                    (
                        "invalid characters. Valid characters are numbers, lowercase latin letters "
                        "and '-', '_', '.' symbols."
                    ),
                ),
            ],
        ),
        (
            {"type": "Secret", "name": "x" * 254, "mesh": "old_mesh"},
            [("name", "value length must less or equal 253")],
        ),
        (
            {"type": "Secret", "name": 1, "mesh": ["default"]},
            [
                ("name", "must be a string"),
                ("mesh", "must be a string"),
                (
                    "mesh",
                    (
                        "invalid characters. Valid characters are numbers, lowercase latin letters "
                        "and '-', '_', '.' symbols."
                    ),
                ),
            ],
        ),
        (
            {"type": "Secret", "name": "s", "mesh": "default", "data": "***"},
            [("data", "must be base64")],
        ),
        (
            {"type": "Secret", "name": "s", "mesh": "default", "creationTime": "yesterday"},
            [("creationTime", "must be a time such as 2026-01-01T00:00:00Z")],
        ),
        (
            {"type": "Secret", "name": "s", "mesh": "default", "label": {}},
            [("label", "unknown field")],
        ),
        (
            {"type": "Secret", "name": "s", "mesh": "default", "labels": ["a"]},
            [("labels", "must be a map of strings to strings")],
        ),
        (
            {"type": "Secret", "name": "s", "mesh": "default", "labels": {"a": 1}},
            [('labels["a"]', "must be a string")],
        ),
        (
            {"type": "Secret", "name": "s", "mesh": "default", "labels": {"a": None}},
            [('labels["a"]', "must not be null")],
        ),
    ],
)
def test_these_documents_are_refused(document: object, found: list[tuple[str, str]]) -> None:
    assert parsing(document) == found


def test_the_document_must_agree_with_the_url() -> None:
    document = {"type": "Mesh", "name": "dp2", "mesh": "other", "networking": {"address": "::1"}}
    kind = REGISTRY.kind("Dataplane")
    with pytest.raises(InvalidResource) as caught:
        read_document(REGISTRY, document, kind=kind, mesh="default", name="dp1")
    assert [(each.field, each.message) for each in caught.value.violations] == [
        ("type", "type from the URL has to be the same as in body"),
        ("name", "name from the URL has to be the same as in body"),
        ("mesh", "mesh from the URL has to be the same as in body"),
    ]


@pytest.mark.parametrize("place", [{}, {"mesh": None}])
def test_newer_kinds_are_of_the_default_mesh_unless_they_say_another(place: dict[str, Any]) -> None:
    document = {"type": "MeshService", "name": "a", "spec": {}, **place}
    kind = REGISTRY.kind("MeshService")

    assert parse_document(REGISTRY, document).mesh == "default"
    with pytest.raises(InvalidResource, match="mesh from the URL"):
        read_document(REGISTRY, document, kind=kind, mesh="other", name="a")
    older = {"type": "Secret", "name": "a", "data": "YQ==", **place}
    assert parsing(older) == [("mesh", "cannot be empty")]
    assert parsing({**document, "mesh": ""}) == [("mesh", "cannot be empty")]


def test_violations_of_meta_spec_and_rules_come_together() -> None:
    document = {
        "type": "Widget",
        "mesh": "default",
        "name": "B",
        "spce": {},
        "spec": {"size": "big", "color": "red"},
        "status": {"ready": []},
    }
    with pytest.raises(InvalidResource) as caught:
        parse_document(WITH_WIDGET, document)
    assert [(each.field, each.message) for each in caught.value.violations] == [
        ("name", NAME),
        ("spce", 'unknown field, did you mean "spec"?'),
        ("spec.size", "must be an integer"),
        ("spec.color", 'unknown field, did you mean "colour"?'),
        ("status.ready", "must be true or false"),
    ]


def test_labels_follow_the_rules_of_kubernetes() -> None:
    labels = {
        "": "q",
        "/z": "1",
        "UPPER/x": "y",
        "a b": "c d",
        "a/b/c": "",
        "x" * 70: "y" * 70,
        "example.com/fine": "",
    }
    document = {"type": "Secret", "name": "s", "mesh": "default", "labels": labels}
    subdomain = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
        "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
        r"for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
    )
    optional = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
    assert parsing(document) == [
        ('labels[""]', "name part must be non-empty"),
        ('labels[""]', f"name part {LABEL_NAME}"),
        ('labels["/z"]', "prefix part must be non-empty"),
        ('labels["UPPER/x"]', f"prefix part {subdomain}"),
        ('labels["a b"]', f"name part {LABEL_NAME}"),
        ('labels["a b"]', LABEL_VALUE),
        ('labels["a/b/c"]', f"a valid label key {LABEL_NAME}{optional}"),
        (f'labels["{"x" * 70}"]', "name part must be no more than 63 bytes"),
        (f'labels["{"x" * 70}"]', "must be no more than 63 bytes"),
    ]


ALL = [
    a_mesh(mtls=True, passthrough=False),
    a_dataplane(outbounds={9000: "db"}, admin_port=9901, labels={"app": "x"}),
    a_dataplane("gw", gateway="edge"),
    an_external_service(tls={"enabled": True}),
    a_secret(data=b"\x00\xff" * 10),
    a_global_secret(),
    a_zone(enabled=False),
    a_dataplane_insight(),
]


@pytest.mark.parametrize("resource", ALL, ids=lambda each: each.kind.name)
def test_what_is_shown_can_be_read_back(resource: AnyResource) -> None:
    parsed = parse_document(REGISTRY, to_document(resource))
    assert parsed.same_content(resource)
    assert parsed.key == resource.key
    assert parsed.meta.creation_time == resource.meta.creation_time


@pytest.mark.parametrize("resource", ALL, ids=lambda each: each.kind.name)
def test_what_stores_write_can_be_read_back(resource: AnyResource) -> None:
    text = resource.spec.model_dump_json(by_alias=True, exclude_none=True)
    assert resource.kind.spec.model_validate_json(text) == resource.spec


_tags = st.dictionaries(
    st.text("abc./-_:", min_size=1), st.text("abc.-_:", min_size=1), max_size=3
).map(lambda tags: {"kuma.io/service": "s", **tags})
_ports = st.integers(1, 65535)
_inbounds = st.fixed_dictionaries(
    {"port": _ports, "tags": _tags},
    optional={
        "servicePort": _ports,
        "address": st.ip_addresses(v=4).map(str),
        "health": st.fixed_dictionaries({"ready": st.booleans()}),
        "state": st.sampled_from(["Ready", "NotReady", "Ignored"]),
        "name": st.text("abc", min_size=1),
        "protocol": st.sampled_from(["http", "tcp", "grpc"]),
    },
)
_outbounds = st.fixed_dictionaries({"port": _ports, "tags": _tags})


@given(
    st.lists(_inbounds, max_size=3, unique_by=lambda each: each["port"]),
    st.lists(_outbounds, max_size=3, unique_by=lambda each: each["port"]),
    st.dictionaries(st.text("abc", min_size=1), st.text("abc"), max_size=3),
)
def test_any_dataplane_reads_back_the_same(
    inbounds: list[dict[str, Any]], outbounds: list[dict[str, Any]], labels: Mapping[str, str]
) -> None:
    dataplane = a_dataplane(
        address="10.255.255.254", inbounds=inbounds, outbounds=outbounds, labels=labels
    )
    document = json.loads(document_bytes(dataplane))
    assert document == to_document(dataplane)
    kept = dataplane.kind.spec.model_validate(
        {key: each for key, each in document.items() if key == "networking"}
    )
    assert kept == dataplane.spec
    text = dataplane.spec.model_dump_json(by_alias=True, exclude_none=True)
    assert dataplane.kind.spec.model_validate_json(text) == dataplane.spec


@given(st.permutations(["c", "a", "b"]))
def test_the_order_of_tags_and_labels_does_not_matter(order: list[str]) -> None:
    tags = dict.fromkeys(order, "x")
    shown = [
        document_bytes(a_dataplane(tags=each, labels=each))
        for each in (tags, dict(sorted(tags.items())))
    ]
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("given_time", "meant"),
    [
        ("2026-01-02T03:04:05.123456789Z", datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02T04:04:05+01:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
        (datetime(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC)),
        (None, datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_any_zone_and_as_yaml_gives_them(
    given_time: object, meant: datetime
) -> None:
    document = {"type": "Mesh", "name": "m", "creationTime": given_time}
    assert parse_document(REGISTRY, document).meta.creation_time == meant


@pytest.mark.parametrize("spec", [{}, {"spec": None}])
def test_a_spec_of_its_own_is_written_if_only_as_nothing(spec: dict[str, Any]) -> None:
    document = {"type": "Widget", "mesh": "default", "name": "w", **spec}
    with pytest.raises(InvalidResource, match="must be defined"):
        parse_document(WITH_WIDGET, document)
    parsed = parse_document(WITH_WIDGET, {**document, "spec": {}})
    assert parsed.spec == a_resource(WIDGET, "w", {}).spec
