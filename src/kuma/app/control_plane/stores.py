"""Which database the settings ask for: the store, and who leads among the instances on it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from kuma.config.control_plane import ControlPlaneSettings
from kuma.config.errors import BadConfig
from kuma.config.store import PostgresStore as PostgresSection
from kuma.kit.clock import Clock
from kuma.resources.registry import Registry
from kuma.resources.store import Store
from kuma.stores.leadership import AlwaysLeader, Leadership, PostgresLeadership
from kuma.stores.memory import MemoryStore
from kuma.stores.postgres import PostgresStore
from kuma.stores.postgres_connection import PostgresSettings, PostgresTls, TlsMode
from kuma.stores.sqlite import SqliteStore


@dataclass(frozen=True)
class Database:
    """`is_connected` tells whether another instance is at work on it; None: there are no others."""

    store: Store
    leadership: Leadership
    is_connected: Callable[[str], Awaitable[bool]] | None = None


def choose_database(
    settings: ControlPlaneSettings,
    work_dir: Path,
    registry: Registry,
    clock: Clock,
    *,
    instance: str,
) -> Database:
    """Raises BadConfig."""
    match settings.store.type:
        case "memory":
            return Database(MemoryStore(registry, clock), AlwaysLeader())
        case "sqlite":
            path = Path(settings.store.sqlite.path or work_dir / "kuma.db")
            return Database(SqliteStore(path, registry, clock), AlwaysLeader())
        case "postgres":
            wanted = postgres_settings(settings.store.postgres, instance=instance)
            store = PostgresStore(wanted, registry, clock)
            return Database(store, PostgresLeadership(wanted), store.is_connected)
        case other:
            problem = f"store.type (KUMA_STORE_TYPE): {other} is not supported by this version"
            raise BadConfig((f"{problem}, use sqlite, memory or postgres",))


def postgres_settings(section: PostgresSection, *, instance: str = "") -> PostgresSettings:
    tls = section.tls
    return PostgresSettings(
        host=section.host,
        port=section.port,
        user=section.user,
        password=section.password,
        db_name=section.db_name,
        connection_timeout=timedelta(seconds=section.connection_timeout),
        max_connection_idle_time=section.max_connection_idle_time,
        max_connection_lifetime=section.max_connection_lifetime,
        max_connection_lifetime_jitter=section.max_connection_lifetime_jitter,
        min_open_connections=section.min_open_connections,
        max_open_connections=section.max_open_connections,
        tls=PostgresTls(TlsMode(tls.mode), tls.cert_path, tls.key_path, tls.ca_path),
        tolerate_newer_db_versions=section.tolerate_newer_db_versions,
        read_replica_host=section.read_replica.host,
        instance=instance,
    )
