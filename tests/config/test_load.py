"""Reading settings: precedence, every problem at once, warnings."""

import json
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma.config.control_plane import ControlPlaneSettings
from kuma.config.errors import BadConfig
from kuma.config.load import load_control_plane, load_data_plane
from kuma.config.section import settings_of
from kuma.kit.durations import format_duration

HOME = {"HOME": "/home/me"}


def control_plane(tmp_path, text="", **environ):
    file = tmp_path / "kuma-cp.yaml"
    file.write_text(text)
    return load_control_plane(file, HOME | environ)


def problems(tmp_path, text="", **environ):
    with pytest.raises(BadConfig) as refused:
        control_plane(tmp_path, text, **environ)
    return [each.replace(f"{tmp_path}/", "") for each in refused.value.problems]


def test_without_file_and_variables_the_defaults_hold():
    loaded = load_control_plane(None, HOME)
    settings = loaded.settings
    assert loaded.warnings == ()
    assert settings.store.type == "sqlite"
    assert settings.store.sqlite.path == "/home/me/.kuma/kuma.db"
    assert settings.general.work_dir == "/home/me/.kuma"
    assert settings.api_server.http.port == 5681
    assert settings.multizone.global_.kds.grpc_port == 5685


def test_a_variable_wins_over_the_file(tmp_path):
    text = "apiServer: {http: {port: 1}, https: {port: 2}}"
    settings = control_plane(tmp_path, text, KUMA_API_SERVER_HTTP_PORT="3").settings
    assert (settings.api_server.http.port, settings.api_server.https.port) == (3, 2)


def test_a_flag_wins_over_a_variable():
    environ = {"KUMA_DATAPLANE_NAME": "env", "KUMA_DATAPLANE_MESH": "env"}
    flags = {"dataplane.name": "flag", "dataplane.drainTime": "5s", "dns.enabled": False}
    dataplane = load_data_plane(None, environ, flags=flags).settings.dataplane
    assert (dataplane.name, dataplane.mesh) == ("flag", "env")
    assert dataplane.drain_time == timedelta(seconds=5)


def test_variables_and_keys_are_found_in_any_case(tmp_path):
    text = "defaults: {SkipHostnameGenerators: true}\nAPISERVER: {readonly: true}"
    settings = control_plane(tmp_path, text, kuma_general_Work_Dir="/w").settings
    assert settings.defaults.skip_hostname_generators
    assert settings.api_server.read_only
    assert settings.general.work_dir == "/w"


def test_of_two_spellings_the_upper_case_one_counts(tmp_path):
    environ = {"kuma_general_work_dir": "/low", "KUMA_GENERAL_WORK_DIR": "/up"}
    assert control_plane(tmp_path, **environ).settings.general.work_dir == "/up"


def test_nothing_after_a_key_means_the_default(tmp_path):
    settings = control_plane(tmp_path, "general:\n  tlsCertFile:\nstore:\n").settings
    assert settings.general.tls_cert_file == ""


def test_an_empty_variable_empties_lists_and_leaves_numbers_alone(tmp_path):
    settings = control_plane(
        tmp_path, KUMA_API_SERVER_HTTP_PORT="", KUMA_ACCESS_STATIC_VIEW_STATS_GROUPS=""
    ).settings
    assert settings.api_server.http.port == 5681
    assert settings.access.static.view_stats.groups == ()


def test_lists_maps_and_durations_are_read_from_variables(tmp_path):
    settings = control_plane(
        tmp_path,
        KUMA_API_SERVER_CORS_ALLOWED_DOMAINS="a.example, b.example",
        KUMA_RUNTIME_KUBERNETES_SIDECAR_TRAFFIC_EXCLUDE_INBOUND_PORTS="80,443",
        KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_ENV_VARS="A:1,B:x:y",
        KUMA_XDS_SERVER_NACK_BACKOFF="1m30s",
    ).settings
    injector = settings.runtime.kubernetes.injector
    assert settings.api_server.cors_allowed_domains == ("a.example", "b.example")
    assert injector.sidecar_traffic.exclude_inbound_ports == (80, 443)
    assert injector.sidecar_container.env_vars == {"A": "1", "B": "x:y"}
    assert settings.xds_server.nack_backoff == timedelta(seconds=90)


def test_public_keys_come_from_the_file(tmp_path):
    text = """
dpServer:
  authn:
    dpProxy:
      dpToken:
        validator:
          publicKeys:
          - {kid: 1, mesh: default, key: PEM}
          - {kid: "2", keyFile: /keys/public.pem}
"""
    authn = control_plane(tmp_path, text).settings.dp_server.authn
    first, second = authn.dp_proxy.dp_token.validator.public_keys
    assert (first.kid, first.mesh, first.key) == ("1", "default", "PEM")
    assert (second.kid, second.mesh, second.key_file) == ("2", "", "/keys/public.pem")


def test_all_problems_are_told_at_once(tmp_path):
    text = """
apiServer:
  http: {prot: 1, port: http}
  authn: 5
stor: {type: postgres}
store:
  postgres: {password: [1], tls: {mode: verify}}
"""
    assert problems(tmp_path, text, KUMA_STORE_CACHE_ENABLED="maybe") == [
        "apiServer.http.prot in kuma-cp.yaml: unknown setting, did you mean apiServer.http.port?",
        'apiServer.http.port in kuma-cp.yaml: must be a port, from 0 to 65535, not "http"',
        "apiServer.authn in kuma-cp.yaml: must be a section, with keys in it",
        "stor in kuma-cp.yaml: unknown setting, did you mean store?",
        "store.postgres.password in kuma-cp.yaml: must be text",
        (
            'store.postgres.tls.mode in kuma-cp.yaml: must be one of "disable", "verifyNone", '
            '"verifyCa", "verifyFull", not "verify"'
        ),
        'KUMA_STORE_CACHE_ENABLED: must be true or false, not "maybe"',
    ]


def test_a_setting_in_the_wrong_section_is_found_elsewhere(tmp_path):
    (problem,) = problems(tmp_path, "serverPort: 1")
    assert problem == (
        "serverPort in kuma-cp.yaml: unknown setting, did you mean diagnostics.serverPort?"
    )


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("KUMA_API_SERVER_HTTP_PORT", "70000", "a port, from 0 to 65535"),
        ("KUMA_API_SERVER_HTTP_PORT", "5681.5", "a port, from 0 to 65535"),
        ("KUMA_GENERAL_DNS_CACHE_TTL", "5", "a duration such as 10s, 250ms or 1h30m"),
        ("KUMA_STORE_TYPE", "mysql", 'one of "sqlite", "memory", "postgres", "kubernetes"'),
        ("KUMA_METRICS_DATAPLANE_SUBSCRIPTION_LIMIT", "-1", "a whole number, not below 0"),
        ("KUMA_GENERAL_TLS_MIN_VERSION", "TLSv1_1", 'one of empty, "TLSv1_2", "TLSv1_3"'),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_allowed(tmp_path, variable, text, expected):
    assert problems(tmp_path, **{variable: text}) == [
        f'{variable}: must be {expected}, not "{text}"'
    ]


@pytest.mark.parametrize(
    "text", ["apiServer: {readOnly: 'true'}", "apiServer: {http: {port: '5681'}}"]
)
def test_text_is_no_boolean_and_no_number_in_the_file(tmp_path, text):
    assert len(problems(tmp_path, text)) == 1


def test_numbers_are_text_where_text_is_wanted(tmp_path):
    text = "store: {postgres: {password: 1234, user: true}}"
    postgres = control_plane(tmp_path, text).settings.store.postgres
    assert (postgres.password, postgres.user) == ("1234", "true")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1", "kuma-cp.yaml is not YAML: did not find expected ',' or ']' at line 2, column 1"),
        ("- a", "kuma-cp.yaml must hold a map of settings"),
        ("5", "kuma-cp.yaml must hold a map of settings"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused(tmp_path, text, problem):
    assert problems(tmp_path, text) == [problem]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadConfig, match=r"cannot read .*nowhere.yaml: No such file or directory"):
        load_control_plane(tmp_path / "nowhere.yaml", HOME)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    file = tmp_path / "binary"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadConfig, match="it is not UTF-8"):
        load_control_plane(file, HOME)


def test_an_unknown_variable_gives_one_warning_with_the_nearest_name(tmp_path):
    warnings = control_plane(tmp_path, KUMA_API_SERVER_HTTP_PROT="1", KUMA_XYZ="2").warnings
    assert warnings == (
        "unknown variable KUMA_API_SERVER_HTTP_PROT, did you mean KUMA_API_SERVER_HTTP_PORT?",
        "unknown variable KUMA_XYZ",
    )


def test_variables_of_others_give_no_warning(tmp_path):
    others = {
        "KUMA_DATAPLANE_NAME": "web",
        "KUMA_READINESS_PORT": "9902",
        "KUMA_CONTROL_PLANE_SERVICE_HOST": "10.0.0.1",
        "KUMA_CONTROL_PLANE_SERVICE_PORT_DP_SERVER": "5678",
        "KUMA_CONTROL_PLANE_PORT": "tcp://10.0.0.1:5680",
        "KUMA_CONTROL_PLANE_PORT_5678_TCP_ADDR": "10.0.0.1",
        "PATH": "/bin",
    }
    assert control_plane(tmp_path, **others).warnings == ()
    assert load_data_plane(None, {"KUMA_API_SERVER_HTTP_PORT": "1"}).warnings == ()


def test_a_misspelt_variable_of_a_port_is_no_link_to_a_service():
    assert load_data_plane(None, {"KUMA_READYNESS_PORT": "1"}).warnings == (
        "unknown variable KUMA_READYNESS_PORT, did you mean KUMA_READINESS_PORT?",
    )


def test_a_setting_without_effect_gives_one_warning(tmp_path):
    text = "dnsServer: {domain: mesh}"
    warnings = control_plane(tmp_path, text, KUMA_DP_SERVER_HDS_ENABLED="false").warnings
    assert [each.replace(f"{tmp_path}/", "") for each in warnings] == [
        "dnsServer.domain in kuma-cp.yaml is not available yet: DNS",
        "KUMA_DP_SERVER_HDS_ENABLED (dpServer.hds.enabled) is not available yet: health discovery",
    ]


def test_dns_enabled_is_accepted_without_a_word():
    assert load_data_plane(None, {}, flags={"dns.enabled": False}).warnings == ()


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        (
            {"KUMA_STORE_TYPE": "kubernetes"},
            'store.type: "kubernetes" is not available yet, must be sqlite, postgres or memory',
        ),
        (
            {"KUMA_ENVIRONMENT": "kubernetes"},
            'environment: "kubernetes" is not available yet, must be "universal"',
        ),
        ({"KUMA_MODE": "global"}, 'mode: "global" is not available yet, must be "zone"'),
        (
            {"KUMA_API_SERVER_HTTP_PORT": "5678"},
            "apiServer.http.port: must not be the port of dpServer.port, 5678",
        ),
        (
            {"KUMA_GENERAL_TLS_CERT_FILE": "/cert.pem"},
            "general.tlsCertFile and tlsKeyFile: must be set together",
        ),
        (
            {"KUMA_API_SERVER_HTTPS_REQUIRE_CLIENT_CERT": "true"},
            "apiServer.https.tlsCaFile: must be set with requireClientCert",
        ),
        (
            {"KUMA_API_SERVER_HTTP_ENABLED": "0", "KUMA_API_SERVER_HTTPS_ENABLED": "f"},
            "apiServer: http and https must not both be disabled",
        ),
        (
            {"KUMA_STORE_TYPE": "postgres", "KUMA_STORE_POSTGRES_TLS_MODE": "verifyCa"},
            "store.postgres.tls.caPath: must be set with tls.mode verifyCa",
        ),
        (
            {"KUMA_STORE_TYPE": "postgres", "KUMA_STORE_POSTGRES_MIN_OPEN_CONNECTIONS": "51"},
            "store.postgres.minOpenConnections: must not exceed maxOpenConnections, 50",
        ),
        (
            {"KUMA_METRICS_DATAPLANE_IDLE_TIMEOUT": "0s"},
            "metrics.dataplane.idleTimeout: must be longer than 0s",
        ),
        (
            {"KUMA_IPAM_MESH_SERVICE_CIDR": "241.0.0.0/33"},
            'ipam.meshService.cidr: "241.0.0.0/33" is no range of addresses, must be like "240.0.0.0/4"',
        ),
        (
            {"KUMA_DNS_SERVER_CIDR": "240.0.0.0"},
            'dnsServer.CIDR: "240.0.0.0" is no range of addresses, must be like "240.0.0.0/4"',
        ),
        (
            {"KUMA_IPAM_KNOWN_INTERNAL_CIDRS": "10.0.0.0/8,here"},
            'ipam.knownInternalCIDRs[1]: "here" is no range of addresses, must be like "240.0.0.0/4"',
        ),
        (
            {"KUMA_IPAM_MESH_EXTERNAL_SERVICE_CIDR": "241.128.0.0/9"},
            "ipam.meshExternalService.cidr: must not overlap with ipam.meshService.cidr, 241.0.0.0/8",
        ),
        (
            {"KUMA_MESH_SERVICE_LABEL_PROPAGATION_ALLOWED_LABEL_KEYS": "team,kuma.io/x"},
            'meshService.labelPropagation.allowedLabelKeys[1]: "kuma.io/x" must not be reserved',
        ),
    ],
)
def test_what_cannot_go_together_is_refused(tmp_path, environ, problem):
    assert problem in problems(tmp_path, **environ)


def test_equal_ports_on_different_addresses_do_not_clash(tmp_path):
    text = "apiServer: {http: {interface: 127.0.0.1}, https: {interface: 127.0.0.2, port: 5681}}"
    assert control_plane(tmp_path, text).settings.api_server.https.port == 5681


def test_what_is_empty_follows_from_other_settings(tmp_path):
    settings = control_plane(tmp_path, KUMA_DP_SERVER_PORT="1", KUMA_MODE="standalone").settings
    assert settings.bootstrap_server.params.xds_port == 1
    assert settings.mode == "zone"
    assert settings.dp_server.authn.dp_proxy.type == "dpToken"
    assert settings.dp_server.authn.zone_proxy.type == "zoneToken"


def test_tls_of_general_holds_for_every_server_without_its_own(tmp_path):
    text = """
general: {tlsCertFile: g.crt, tlsKeyFile: g.key, tlsMinVersion: TLSv1_3}
dpServer: {tlsCertFile: d.crt, tlsKeyFile: d.key}
"""
    settings = control_plane(tmp_path, text).settings
    assert settings.api_server.https.tls_cert_file == "g.crt"
    assert settings.dp_server.tls_cert_file == "d.crt"
    assert settings.dp_server.tls_key_file == "d.key"
    assert settings.dp_server.tls_min_version == "TLSv1_3"


@given(st.timedeltas(timedelta(0), timedelta(days=3650)))
def test_every_duration_is_read_back_from_a_variable(duration):
    environ = HOME | {"KUMA_XDS_SERVER_NACK_BACKOFF": format_duration(duration)}
    assert load_control_plane(None, environ).settings.xds_server.nack_backoff == duration


@given(
    st.dictionaries(
        st.sampled_from([e.env for e in settings_of(ControlPlaneSettings) if e.env]),
        st.text(max_size=20),
        max_size=4,
    )
)
def test_no_text_in_a_variable_crashes(environ):
    with suppress(BadConfig):
        load_control_plane(None, HOME | environ)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["apiServer", "http", "port", "x", "store"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    )
)
def test_no_content_of_the_file_crashes(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(json.dumps(content))
    with suppress(BadConfig):
        load_control_plane(file, HOME)


def test_an_unknown_cipher_suite_is_named(tmp_path):
    suites = {"KUMA_DP_SERVER_TLS_CIPHER_SUITES": "TLS_AES_128_GCM_SHA256,TLS_RSA_WITH_RC4_128_SHA"}
    (problem,) = problems(tmp_path, **suites)
    assert problem.startswith(
        'dpServer.tlsCipherSuites: unknown cipher suite "TLS_RSA_WITH_RC4_128_SHA", must be of TLS_'
    )
