"""Where resources are kept."""

from datetime import timedelta
from typing import Literal

from kuma.config.forms import Bool, Duration, Integer, Number, Percent, Port, Text
from kuma.config.section import Section, section, setting


class KubernetesStore(Section):
    system_namespace: Text = setting("kuma-system", "Namespace of the control plane.")


class SqliteStore(Section):
    # Differs from Kuma: it has no embedded database.
    path: Text = setting("", "Database file. Empty: `kuma.db` in `general.workDir`.")


class PostgresTls(Section):
    mode: Literal["disable", "verifyNone", "verifyCa", "verifyFull"] = setting(
        "disable",
        "`disable`: no TLS; `verifyNone`: TLS without checking the server; `verifyCa`: its "
        "certificate must be signed by the CA; `verifyFull`: and must name its host.",
    )
    cert_path: Text = setting("", "Client certificate, if the server asks for one.")
    key_path: Text = setting("", "Key of the client certificate.")
    ca_path: Text = setting(
        "",
        "CA that has signed the server's certificate, for `verifyCa` and `verifyFull`.",
        also=("KUMA_STORE_POSTGRES_TLS_ROOT_CERT_PATH",),
    )
    disable_sslsni: Bool = setting(
        False,
        "Leave the server's name out of the TLS handshake.",
        key="disableSSLSNI",
        env="KUMA_STORE_POSTGRES_TLS_DISABLE_SSLSNI",
    )


class ReadReplica(Section):
    host: Text = setting("", "Host of a replica for reads. Empty: none.")
    port: Port = setting(5432, "Port of the replica.")
    ratio: Percent = setting(100, "Share of the reads that go to the replica.")


class PostgresStore(Section):
    host: Text = setting("127.0.0.1", "Host of the database.")
    port: Port = setting(15432, "Port of the database.")
    user: Text = setting("kuma", "User to log in as.")
    password: Text = setting("kuma", "Password of the user.", secret=True)
    db_name: Text = setting("kuma", "Name of the database.")
    driver_name: Text = setting("pgx", "Driver of the original, `pgx` or `postgres`.")
    connection_timeout: Number = setting(5, "Seconds to wait for a connection.")
    max_connection_idle_time: Duration = setting(
        timedelta(minutes=30), "An idle connection is closed after this time."
    )
    max_connection_lifetime: Duration = setting(
        timedelta(hours=1), "A connection is replaced after this time."
    )
    max_connection_lifetime_jitter: Duration = setting(
        timedelta(minutes=1), "Spreads the replacement of connections over this time."
    )
    health_check_interval: Duration = setting(
        timedelta(seconds=30), "How often idle connections are checked."
    )
    min_open_connections: Number = setting(0, "Connections that are kept open.")
    max_open_connections: Number = setting(50, "Most connections at a time. 0: no limit.")
    max_idle_connections: Integer = setting(50, "Most idle connections at a time.")
    max_list_query_elements: Number = setting(
        0, "Changed resources up to which they are read one by one instead of all."
    )
    tls: PostgresTls = section(PostgresTls, "TLS to the database.")
    tolerate_newer_db_versions: Bool = setting(
        False,
        "Start on a database that a newer version has migrated.",
        key="tolerateNewerDBVersions",
        env="KUMA_STORE_POSTGRES_TOLERATE_NEWER_DB_VERSIONS",
    )
    read_replica: ReadReplica = section(ReadReplica, "A replica that serves reads.")


class StoreCache(Section):
    enabled: Bool = setting(True, "Cache reads.")
    expiration_time: Duration = setting(timedelta(seconds=1), "How long a cached read is used.")


class StoreUpsert(Section):
    conflict_retry_base_backoff: Duration = setting(
        timedelta(milliseconds=200), "First pause after a conflicting write."
    )
    conflict_retry_max_times: Number = setting(10, "Attempts at a conflicting write.")
    conflict_retry_jitter_percent: Percent = setting(30, "Random part of the pause.")


class Store(Section):
    # Differs from Kuma: the default there is `memory`, which forgets everything on restart.
    type: Literal["sqlite", "memory", "postgres", "kubernetes"] = setting(
        "sqlite",
        "`sqlite`: an embedded database, for one control plane; `postgres`: for several; "
        "`memory`: everything is gone after a restart; `kubernetes`: the cluster's API server.",
    )
    sqlite: SqliteStore = section(SqliteStore, "The embedded database.")
    kubernetes: KubernetesStore = section(KubernetesStore, "The Kubernetes API as store.")
    postgres: PostgresStore = section(PostgresStore, "PostgreSQL as store.")
    cache: StoreCache = section(StoreCache, "Cache of reads.")
    upsert: StoreUpsert = section(StoreUpsert, "Writes that read first.")
    unsafe_delete: Bool = setting(
        False, "Delete a mesh with dataplanes in it, or a zone that is online, without asking."
    )
