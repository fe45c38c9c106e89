"""The declarations: names, variables and defaults of Kuma, one of each, and current documentation."""

import re
from pathlib import Path

import pytest

from kuma.config import availability
from kuma.config.control_plane import ControlPlaneSettings
from kuma.config.data_plane import DataPlaneSettings
from kuma.config.docs import FILE, configuration_reference
from kuma.config.section import Heading, settings_of, walk

MODELS = [ControlPlaneSettings, DataPlaneSettings]


def variables(model):
    return {each.key: each.env for each in settings_of(model)}


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        # Regular, then those that break Kuma's own pattern.
        ("apiServer.http.port", "KUMA_API_SERVER_HTTP_PORT"),
        ("store.postgres.dbName", "KUMA_STORE_POSTGRES_DB_NAME"),
        ("general.dnsCacheTTL", "KUMA_GENERAL_DNS_CACHE_TTL"),
        ("dnsServer.CIDR", "KUMA_DNS_SERVER_CIDR"),
        ("xdsServer.dataplaneDeregistrationDelay", "KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY"),
        ("dpServer.hds.checkDefaults.timeout", "KUMA_DP_SERVER_HDS_CHECK_TIMEOUT"),
        ("access.static.viewConfigDump.users", "KUMA_ACCESS_STATIC_GET_CONFIG_DUMP_USERS"),
        ("access.static.viewStats.users", "KUMA_ACCESS_STATIC_VIEW_STATS_USERS"),
        ("policies.pluginPoliciesEnabled", "KUMA_PLUGIN_POLICIES_ENABLED"),
        ("metrics.openTelemetry.enabled", "KUMA_METRICS_OPENTELEMETRY_ENABLED"),
        ("multizone.global.kds.grpcPort", "KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT"),
        ("multizone.zone.globalAddress", "KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS"),
        ("dpServer.authn.dpProxy.type", "KUMA_DP_SERVER_AUTHN_DP_PROXY_TYPE"),
        (
            "dpServer.authn.dpProxy.dpToken.validator.useSecrets",
            "KUMA_DP_SERVER_AUTHN_DP_PROXY_DP_TOKEN_VALIDATOR_USE_SECRETS",
        ),
        (
            "runtime.kubernetes.injector.sidecarContainer.gid",
            "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_GUI",
        ),
        (
            "runtime.kubernetes.injector.sidecarContainer.resources.limits.memory",
            "KUMA_INJECTOR_SIDECAR_CONTAINER_RESOURCES_LIMITS_MEMORY",
        ),
        ("runtime.kubernetes.injector.initContainer.image", "KUMA_INJECTOR_INIT_CONTAINER_IMAGE"),
        (
            "runtime.kubernetes.injector.ebpf.bpffsPath",
            "KUMA_RUNTIME_KUBERNETES_INJECTOR_EBPF_BPFFS_PATH",
        ),
        (
            "runtime.kubernetes.injector.builtinDNS.experimentalProxy",
            "KUMA_RUNTIME_KUBERNETES_INJECTOR_BUILTIN_DNS_EXPERIMENTAL_PROXY",
        ),
    ],
)
def test_variables_of_the_control_plane_are_those_of_kuma(key, variable):
    assert variables(ControlPlaneSettings)[key] == variable


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        ("controlPlane.url", "KUMA_CONTROL_PLANE_URL"),
        ("dataplane.readinessPort", "KUMA_READINESS_PORT"),
        ("dataplaneRuntime.dataplaneTokenPath", "KUMA_DATAPLANE_RUNTIME_TOKEN_PATH"),
        ("dataplaneRuntime.IPv6Enabled", "KUMA_DATAPLANE_RUNTIME_IPV6_ENABLED"),
        ("dataplaneRuntime.resources.maxMemoryBytes", "KUMA_DATAPLANE_RESOURCES_MAX_MEMORY_BYTES"),
        ("dns.coreDNSLogging", "KUMA_DNS_ENABLE_LOGGING"),
        ("applicationProbeProxyServer.port", "KUMA_APPLICATION_PROBE_PROXY_PORT"),
    ],
)
def test_variables_of_the_data_plane_are_those_of_kuma(key, variable):
    assert variables(DataPlaneSettings)[key] == variable


def test_both_documented_and_real_variables_of_kuma_are_read():
    found = {each.key: each.variables for each in settings_of(ControlPlaneSettings)}
    assert found["store.postgres.tls.caPath"] == (
        "KUMA_STORE_POSTGRES_TLS_CA_PATH",
        "KUMA_STORE_POSTGRES_TLS_ROOT_CERT_PATH",
    )


def test_every_name_belongs_to_one_setting_of_one_program():
    keys = [each.key.lower() for model in MODELS for each in settings_of(model)]
    names = [name for model in MODELS for each in settings_of(model) for name in each.variables]
    assert len(keys) == len(set(keys))
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"KUMA_[A-Z0-9_]+", name) for name in names)


@pytest.mark.parametrize("model", MODELS)
def test_every_default_is_what_its_form_reads(model):
    for each in settings_of(model):
        assert each.form.read(each.default) == each.default, each.key


@pytest.mark.parametrize("model", MODELS)
def test_everything_is_described_in_sentences(model):
    for each in walk(model):
        assert re.fullmatch(r"[`A-Z].*\.", each.description), each.path


@pytest.mark.parametrize(
    ("model", "table"),
    [
        (ControlPlaneSettings, availability.CONTROL_PLANE),
        (DataPlaneSettings, availability.DATA_PLANE),
    ],
)
def test_the_table_of_what_has_no_effect_names_real_settings(model, table):
    real = {".".join(each.path) for each in walk(model)}
    assert table.keys() <= real


def test_the_longest_key_decides_what_has_no_effect():
    table = {"multizone": "is not available", "multizone.zone.name": None}
    assert availability.unavailable("multizone.zone.kds.rootCaFile", table) == "is not available"
    assert availability.unavailable("multizone.zone.name", table) is None
    assert availability.unavailable("store.type", table) is None


def test_masked_settings_are_the_json_of_kuma_without_secrets():
    shown = ControlPlaneSettings().masked()
    assert shown["store"]["postgres"]["password"] == "*****"
    assert shown["apiServer"]["idleTimeout"] == "2m0s"
    assert shown["apiServer"]["http"] == {
        "enabled": True,
        "interface": "0.0.0.0",
        "port": 5681,
    }
    assert shown["access"]["static"]["generateDpToken"]["users"] == ["mesh-system:admin"]
    assert list(shown["multizone"]) == ["global", "zone"]


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        ControlPlaneSettings().store.type = "memory"


def test_the_documentation_is_current():
    """Run `python -m kuma.config.docs` after a change of the settings."""
    assert Path(FILE).read_text(encoding="utf-8") == configuration_reference()


def test_the_documentation_has_every_setting():
    page = configuration_reference()
    for model in MODELS:
        for each in walk(model):
            if not isinstance(each, Heading):
                assert f"| `{each.path[-1]}` |" in page
                assert all(f"`{name}`" in page for name in each.variables)
