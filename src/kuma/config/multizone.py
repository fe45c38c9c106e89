"""Several zones under one global control plane."""

from datetime import timedelta

from kuma.config.forms import Bool, Duration, Number, Port, Text, Texts
from kuma.config.section import Section, section, setting
from kuma.config.servers import ServerTls

_TEN_MIB = 10 * 1024 * 1024


class SyncLabels(Section):
    skip_prefixes: Texts = setting((), "Labels with these prefixes are not synchronized.")


class ZoneHealthCheck(Section):
    poll_interval: Duration = setting(timedelta(0), "How often zones are checked. 0s: never.")
    timeout: Duration = setting(timedelta(0), "A zone is offline after this time without a word.")
    close_stale_conn: Bool = setting(False, "Close connections of zones that are offline.")


class SyncTracing(Section):
    enabled: Bool = setting(True, "Trace the synchronization.")


class GlobalSync(ServerTls):
    grpc_port: Port = setting(5685, "Port to which zones connect.")
    refresh_interval: Duration = setting(
        timedelta(seconds=1), "How often what zones get is computed anew."
    )
    zone_insight_flush_interval: Duration = setting(
        timedelta(seconds=10), "How often the state of zones is written to the store."
    )
    tls_enabled: Bool = setting(True, "Serve with TLS.")
    max_msg_size: Number = setting(_TEN_MIB, "Largest message, in bytes.")
    msg_send_timeout: Duration = setting(timedelta(minutes=1), "Most time to send a message.")
    nack_backoff: Duration = setting(
        timedelta(seconds=5), "Pause before what a zone has rejected is sent again."
    )
    response_backoff: Duration = setting(timedelta(0), "Pause before an answer to a zone.")
    log_payloads: Bool = setting(False, "Log whole messages.")
    zone_health_check: ZoneHealthCheck = section(ZoneHealthCheck, "Whether zones live.")
    tracing: SyncTracing = section(SyncTracing, "Tracing.")
    labels: SyncLabels = section(SyncLabels, "Labels of what is synchronized.")


class GlobalSettings(Section):
    kds: GlobalSync = section(GlobalSync, "Synchronization with zones.")


class ZoneSync(Section):
    refresh_interval: Duration = setting(
        timedelta(seconds=1), "How often what the global control plane gets is computed anew."
    )
    root_ca_file: Text = setting("", "CA of the global control plane's certificate.")
    tls_skip_verify: Bool = setting(False, "Do not check that certificate.")
    max_msg_size: Number = setting(_TEN_MIB, "Largest message, in bytes.")
    msg_send_timeout: Duration = setting(timedelta(minutes=1), "Most time to send a message.")
    nack_backoff: Duration = setting(
        timedelta(seconds=5), "Pause before what was rejected is sent again."
    )
    response_backoff: Duration = setting(timedelta(0), "Pause before an answer.")
    log_payloads: Bool = setting(False, "Log whole messages.")
    labels: SyncLabels = section(SyncLabels, "Labels of what is synchronized.")


class ZoneSettings(Section):
    name: Text = setting("default", "Name of the zone.")
    global_address: Text = setting(
        "", "Address of the global control plane, `grpcs://host:5685`. Empty: there is none."
    )
    kds: ZoneSync = section(ZoneSync, "Synchronization with the global control plane.")
    disable_origin_label_validation: Bool = setting(
        False, "Accept resources without the label `kuma.io/origin: zone`."
    )
    ingress_update_interval: Duration = setting(
        timedelta(seconds=1), "How often the services behind the zone ingress are computed anew."
    )


class Multizone(Section):
    global_: GlobalSettings = section(
        GlobalSettings,
        "Settings of a global control plane.",
        key="global",
    )
    zone: ZoneSettings = section(ZoneSettings, "Settings of a zone's control plane.")
