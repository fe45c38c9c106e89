"""The ports on which a control plane listens, and who may do what there."""

from datetime import timedelta
from typing import Literal

from kuma.config.forms import (
    Bool,
    Duration,
    Number,
    Port,
    PublicKeys,
    Text,
    Texts,
    TlsVersion,
)
from kuma.config.section import Section, section, setting


class ServerTls(Section):
    tls_cert_file: Text = setting(
        "", "Certificate of the server, PEM. Empty: `general.tlsCertFile`."
    )
    tls_key_file: Text = setting("", "Key of the certificate, PEM. Empty: `general.tlsKeyFile`.")
    tls_min_version: TlsVersion = setting("TLSv1_2", "Oldest TLS version, `TLSv1_2` or `TLSv1_3`.")
    tls_max_version: TlsVersion = setting("", "Newest TLS version. Empty: the newest there is.")
    tls_cipher_suites: Texts = setting((), "Cipher suites by their IANA names. Empty: safe ones.")


class KeyValidator(Section):
    use_secrets: Bool = setting(True, "Believe tokens that are signed by keys in secrets.")
    public_keys: PublicKeys = setting(
        (), "Further keys to believe: `kid` and either `key` or `keyFile`.", file_only=True
    )


class HttpServer(Section):
    enabled: Bool = setting(True, "Serve the API over HTTP.")
    interface: Text = setting("0.0.0.0", "Address to listen on.")  # noqa: S104  the default of Kuma
    port: Port = setting(5681, "Port to listen on.")


class HttpsServer(ServerTls):
    enabled: Bool = setting(True, "Serve the API over HTTPS.")
    interface: Text = setting("0.0.0.0", "Address to listen on.")  # noqa: S104  the default of Kuma
    port: Port = setting(5682, "Port to listen on.")
    tls_ca_file: Text = setting(
        "",
        "CA that has signed the certificates of clients.",
        also=("KUMA_API_SERVER_HTTPS_CLIENT_CERTS_CA_FILE",),
    )
    require_client_cert: Bool = setting(False, "Refuse clients without a certificate.")


class ApiAuth(Section):
    client_certs_dir: Text = setting("", "Directory of certificates of clients that are admins.")


class ApiTokens(Section):
    bootstrap_admin_token: Bool = setting(
        True, "Keep a token of the admin in the GlobalSecret `admin-user-token`."
    )
    enable_issuer: Bool = setting(True, "Issue user tokens.")
    validator: KeyValidator = section(KeyValidator, "Which user tokens are believed.")


class ApiAuthn(Section):
    type: Literal["tokens", "adminClientCerts"] = setting(
        "tokens", "How users prove who they are: by token, or by a certificate that makes an admin."
    )
    localhost_is_admin: Bool = setting(True, "Whoever calls from this machine is an admin.")
    tokens: ApiTokens = section(ApiTokens, "User tokens.")


class Gui(Section):
    enabled: Bool = setting(True, "Serve the web interface.")
    root_url: Text = setting("", "URL of the web interface behind a reverse proxy.")
    base_path: Text = setting("/gui", "Path of the web interface.")


class ApiServer(Section):
    http: HttpServer = section(HttpServer, "The REST API over HTTP.")
    https: HttpsServer = section(HttpsServer, "The REST API over HTTPS.")
    auth: ApiAuth = section(ApiAuth, "Client certificates of admins, by directory.")
    authn: ApiAuthn = section(ApiAuthn, "Who calls the REST API.")
    read_only: Bool = setting(False, "Refuse every write.")
    cors_allowed_domains: Texts = setting(
        (), "Domains whose pages may call the API from a browser; regular expressions."
    )
    root_url: Text = setting("", "URL of the API behind a reverse proxy.")
    base_path: Text = setting("/", "Path of the API.")
    gui: Gui = section(Gui, "The web interface.")
    read_header_timeout: Duration = setting(
        timedelta(seconds=1), "Most time for the headers of a request."
    )
    read_timeout: Duration = setting(timedelta(seconds=10), "Most time for a whole request.")
    write_timeout: Duration = setting(timedelta(seconds=30), "Most time for a response.")
    idle_timeout: Duration = setting(timedelta(minutes=2), "An idle connection is closed then.")


class DataplaneToken(Section):
    enable_issuer: Bool = setting(True, "Issue dataplane tokens.")
    validator: KeyValidator = section(
        KeyValidator, "Which dataplane tokens are believed. Keys may name their `mesh`."
    )


class DataplaneProxyAuthn(Section):
    type: Literal["", "dpToken", "serviceAccountToken", "none"] = setting(
        "", "How a sidecar proves who it is. Empty: `dpToken` on universal."
    )
    dp_token: DataplaneToken = section(DataplaneToken, "Dataplane tokens.")


class ZoneToken(Section):
    enable_issuer: Bool = setting(True, "Issue zone tokens.")
    validator: KeyValidator = section(KeyValidator, "Which zone tokens are believed.")


class ZoneProxyAuthn(Section):
    type: Literal["", "zoneToken", "serviceAccountToken", "none"] = setting(
        "", "How a zone proxy proves who it is. Empty: `zoneToken` on universal."
    )
    zone_token: ZoneToken = section(ZoneToken, "Zone tokens.")


class DpServerAuthn(Section):
    dp_proxy: DataplaneProxyAuthn = section(DataplaneProxyAuthn, "Who a sidecar is.")
    zone_proxy: ZoneProxyAuthn = section(ZoneProxyAuthn, "Who a zone ingress or egress is.")
    enable_reloadable_tokens: Bool = setting(
        False, "Let Envoy read its token from the file again when it changes."
    )


class HealthCheck(Section):
    timeout: Duration = setting(timedelta(seconds=2), "Most time for a check.")
    interval: Duration = setting(timedelta(seconds=1), "Time between checks.")
    no_traffic_interval: Duration = setting(
        timedelta(seconds=1), "Time between checks of what gets no traffic."
    )
    healthy_threshold: Number = setting(1, "Good checks that make a service healthy.")
    unhealthy_threshold: Number = setting(1, "Bad checks that make a service unhealthy.")


class HealthDiscovery(Section):
    enabled: Bool = setting(True, "Let Envoy check the services behind it.")
    interval: Duration = setting(timedelta(seconds=5), "How often Envoy reports.")
    refresh_interval: Duration = setting(
        timedelta(seconds=10), "How often the checks are computed anew."
    )
    check_defaults: HealthCheck = section(
        HealthCheck, "The checks.", env="KUMA_DP_SERVER_HDS_CHECK"
    )


class DpServer(ServerTls):
    port: Port = setting(5678, "Port of the bootstrap and of xDS.")
    read_header_timeout: Duration = setting(
        timedelta(seconds=5), "Most time for the headers of a request."
    )
    graceful_shutdown_timeout: Duration = setting(
        timedelta(seconds=10), "Most time for streams to end at shutdown."
    )
    authn: DpServerAuthn = section(DpServerAuthn, "Who connects.")
    hds: HealthDiscovery = section(HealthDiscovery, "Health discovery.")


class Diagnostics(ServerTls):
    server_port: Port = setting(5680, "Port of health, readiness and metrics.")
    debug_endpoints: Bool = setting(False, "Serve endpoints for debugging.")
    tls_enabled: Bool = setting(False, "Serve over HTTPS.")


class MonitoringAssignmentServer(ServerTls):
    enabled: Bool = setting(True, "Tell Prometheus what to scrape.")
    port: Port = setting(5676, "Port to listen on.")
    api_versions: Texts = setting(("v1",), "Versions of the protocol.")
    assignment_refresh_interval: Duration = setting(
        timedelta(seconds=1), "How often the assignments are computed anew."
    )
    default_fetch_timeout: Duration = setting(timedelta(seconds=30), "Longest poll.")
    tls_enabled: Bool = setting(False, "Serve over HTTPS.")


class BootstrapParams(Section):
    admin_address: Text = setting("127.0.0.1", "Address of Envoy's admin interface.")
    admin_port: Port = setting(9901, "Port of Envoy's admin interface.")
    envoy_admin_unix_socket: Bool = setting(
        True, "Put Envoy's admin interface on a unix socket instead of a port."
    )
    readiness_port: Port = setting(9902, "Port on which kuma-dp tells whether it is ready.")
    admin_access_log_path: Text = setting("/dev/null", "Access log of Envoy's admin interface.")
    xds_host: Text = setting(
        "", "Host of the control plane for Envoy. Empty: the one that kuma-dp uses."
    )
    xds_port: Port = setting(0, "Port of the control plane for Envoy. 0: `dpServer.port`.")
    xds_connect_timeout: Duration = setting(
        timedelta(seconds=1), "Most time for Envoy to connect to the control plane."
    )
    xds_grpc_max_receive_message_bytes: Number = setting(
        4 * 1024 * 1024, "Largest message from the control plane, in bytes."
    )
    corefile_template_path: Text = setting("", "Template of the configuration of CoreDNS.")


class BootstrapServer(Section):
    params: BootstrapParams = section(BootstrapParams, "What proxies are told at their start.")


class XdsServer(Section):
    dataplane_configuration_refresh_interval: Duration = setting(
        timedelta(seconds=1), "How often configuration is computed anew."
    )
    dataplane_status_flush_interval: Duration = setting(
        timedelta(seconds=10), "How often the state of connections is written to the store."
    )
    nack_backoff: Duration = setting(
        timedelta(seconds=5), "Pause before what a proxy has rejected is sent again."
    )
    dataplane_deregistration_delay: Duration = setting(
        timedelta(seconds=10),
        "A dataplane that disconnects is deleted after this time, unless it comes back.",
        env="KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY",
    )


class InterCpCatalog(Section):
    instance_address: Text = setting("", "Address of this instance for the others.")
    instance_version: Text = setting("", "Version of this instance.")
    heartbeat_interval: Duration = setting(
        timedelta(seconds=5), "How often an instance tells the leader that it lives."
    )
    writer_interval: Duration = setting(
        timedelta(seconds=15), "How often the leader writes who lives."
    )


class InterCpServer(Section):
    port: Port = setting(5683, "Port on which instances talk to each other.")
    tls_min_version: TlsVersion = setting("TLSv1_2", "Oldest TLS version.")
    tls_max_version: TlsVersion = setting("", "Newest TLS version. Empty: the newest there is.")
    tls_cipher_suites: Texts = setting((), "Cipher suites. Empty: safe ones.")


class InterCp(Section):
    catalog: InterCpCatalog = section(InterCpCatalog, "Who the instances are.")
    server: InterCpServer = section(InterCpServer, "The server of an instance.")
