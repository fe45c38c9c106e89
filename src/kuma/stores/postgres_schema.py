"""The schema in PostgreSQL: brought up to date by `kuma-cp migrate up`, checked at every start."""

from typing import Any

from kuma.stores.errors import CannotOpen
from kuma.stores.postgres_connection import Database, PostgresSettings
from kuma.stores.schema import Migration, load_migrations

_LOCK = 0x6B756D61_6D696772
"""The key of an advisory lock: "kumamigr"."""

_OLDEST_SERVER = 14
"""The first with idle_session_timeout, by which a leader that hangs loses the lead."""

_MIGRATIONS_TABLE = """
CREATE TABLE IF NOT EXISTS kuma_migration (
  version integer PRIMARY KEY,
  name    text NOT NULL,
  applied timestamptz NOT NULL DEFAULT now()
)"""


async def migrate(settings: PostgresSettings) -> int:
    """Apply the migrations that are missing, all or none; returns the version of the schema.

    May run at several places at once. Raises Unavailable, or CannotOpen if the database is newer.
    """
    database = Database(settings)
    connection = await database.connect()
    try:
        with database.translated():
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
                await connection.execute(_MIGRATIONS_TABLE)
                for migration in _missing(await _version(connection), database):
                    await _apply(connection, migration)
                return await _version(connection)
    finally:
        connection.terminate()


async def check_schema(connection: Any, database: Database) -> None:
    """Raises CannotOpen unless this version can work with the server and the schema."""
    if connection.get_server_version().major < _OLDEST_SERVER:
        raise CannotOpen(f"{database.name}: PostgreSQL {_OLDEST_SERVER} or newer is needed")
    version = await _version(connection)
    if version == 0:
        raise CannotOpen(f'{database.name} has no schema yet; run "kuma-cp migrate up"')
    if missing := _missing(version, database):
        raise CannotOpen(
            f"{database.name} has schema {version}, this kuma-cp needs {missing[-1].version}; "
            'run "kuma-cp migrate up"'
        )


def _missing(version: int, database: Database) -> tuple[Migration, ...]:
    migrations = load_migrations("postgres")
    if version > len(migrations) and not database.settings.tolerate_newer_db_versions:
        raise CannotOpen(
            f"{database.name} has schema {version}, newer than this kuma-cp knows "
            f"({len(migrations)}); use that version of kuma-cp, or set "
            "store.postgres.tolerateNewerDBVersions while it is rolled out"
        )
    return migrations[version:]


async def _version(connection: Any) -> int:
    if await connection.fetchval("SELECT to_regclass('kuma_migration')") is None:
        return 0
    number = await connection.fetchval("SELECT coalesce(max(version), 0) FROM kuma_migration")
    return int(number)


async def _apply(connection: Any, migration: Migration) -> None:
    await connection.execute(migration.sql)
    await connection.execute(
        "INSERT INTO kuma_migration (version, name) VALUES ($1, $2)",
        migration.version,
        migration.name,
    )
