"""How to reach PostgreSQL: the settings, TLS, connections that notice a dead server, its errors.

Used by the store, its feed of changes, the schema and the leadership; knows nothing of resources.
"""

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import asyncpg

from kuma.resources.errors import Unavailable
from kuma.stores.errors import CannotOpen

_NO_LIMIT = 100
"""Pooled connections if the setting is 0; a write needs one at a time, a read one for a moment."""

_TRANSACTION_TIMEOUT_SINCE = 17


class TlsMode(StrEnum):
    """Kuma's names: encrypt only, check who signed, check the host name as well."""

    DISABLE = "disable"
    VERIFY_NONE = "verifyNone"
    VERIFY_CA = "verifyCa"
    VERIFY_FULL = "verifyFull"


@dataclass(frozen=True)
class PostgresTls:
    """`ca_path` empty: the system's authorities. `cert_path` and `key_path`: a client certificate."""

    mode: TlsMode = TlsMode.DISABLE
    cert_path: str = ""
    key_path: str = ""
    ca_path: str = ""


@dataclass(frozen=True)
class PostgresSettings:
    """Kuma's `store.postgres.*` with its defaults. `host` may be the folder of a Unix socket.

    `connection_timeout` bounds every commit and read, not only connecting; `max_open_connections`
    0 is no limit. `heartbeat` is no setting of Kuma's: how often the feed's connection is checked
    when nothing happens.
    """

    host: str = "127.0.0.1"
    port: int = 15432
    user: str = "kuma"
    password: str = field(default="kuma", repr=False)
    db_name: str = "kuma"
    connection_timeout: timedelta = timedelta(seconds=5)
    max_connection_idle_time: timedelta = timedelta(minutes=30)
    max_connection_lifetime: timedelta = timedelta(hours=1)
    max_connection_lifetime_jitter: timedelta = timedelta(minutes=1)
    min_open_connections: int = 0
    max_open_connections: int = 50
    tls: PostgresTls = PostgresTls()
    tolerate_newer_db_versions: bool = False
    read_replica_host: str = ""
    instance: str = ""
    heartbeat: timedelta = timedelta(seconds=5)


def application_name(instance: str) -> str:
    """At most 63 bytes, which is all that PostgreSQL keeps."""
    return f"kuma-cp {instance[-50:]}".strip()


class Connection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no stubs
    """Its socket notices a server that is gone without a word within about ten seconds."""

    __slots__ = ("retires_at",)

    def __init__(self, protocol: Any, transport: asyncio.Transport, *rest: Any) -> None:
        super().__init__(protocol, transport, *rest)
        self.retires_at = float("inf")
        found = transport.get_extra_info("socket")
        if found is not None and found.family != socket.AF_UNIX:
            _keep_alive(found)


class Database:
    def __init__(self, settings: PostgresSettings) -> None:
        """Raises CannotOpen if the settings cannot work."""
        if settings.read_replica_host:
            # Differs from Kuma: reads of this control plane come from memory, and those that reach
            # the database must see the last write, which a replica may not have yet.
            raise CannotOpen("store.postgres.readReplica is not supported: leave its host empty")
        self.settings = settings
        self.timeout = settings.connection_timeout.total_seconds()
        self.name = f'PostgreSQL at {settings.host}:{settings.port}, database "{settings.db_name}"'
        self._ssl = _ssl_context(settings.tls)

    async def connect(self) -> Connection:
        """A connection outside of the pool; its owner closes it. Raises Unavailable."""
        with self.translated():
            async with asyncio.timeout(self.timeout):
                connection: Connection = await asyncpg.connect(**self._options())
                return connection

    def pool(self) -> "Pool":
        settings = self.settings
        return Pool(
            self,
            asyncpg.create_pool(
                min_size=max(0, settings.min_open_connections),
                max_size=max(
                    settings.min_open_connections, settings.max_open_connections or _NO_LIMIT
                ),
                max_inactive_connection_lifetime=settings.max_connection_idle_time.total_seconds(),
                max_queries=2**62,
                init=self._limit,
                reset=_nothing_to_reset,
                **self._options(),
            ),
        )

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the driver's errors into ours, but for those that the values themselves caused."""
        try:
            yield
        except (
            ssl.SSLCertVerificationError,  # is a ValueError too
            asyncpg.InvalidAuthorizationSpecificationError,
            asyncpg.InvalidCatalogNameError,
            asyncpg.InsufficientPrivilegeError,
        ) as error:
            raise CannotOpen(f"{self.name}: {error}") from error
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError):
            raise
        except TimeoutError as error:
            raise Unavailable(f"{self.name}: no answer within {self.timeout:g} s") from error
        except ConnectionRefusedError as error:
            raise Unavailable(f"{self.name}: nobody listens there") from error
        except OSError as error:
            raise Unavailable(f"{self.name}: {error.strerror or error}") from error
        except (
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as error:
            raise Unavailable(f"{self.name}: {error}") from error

    def _options(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "host": settings.host,
            "port": settings.port,
            "user": settings.user,
            "password": settings.password,
            "database": settings.db_name,
            "ssl": self._ssl,
            "timeout": self.timeout,
            "connection_class": Connection,
            "server_settings": {"application_name": application_name(settings.instance)},
        }

    async def _limit(self, connection: Connection) -> None:
        """An instance that hangs in the middle of a commit must not stop the others for long.
        Between the messages of a prepared statement only the limit of newer servers applies."""
        limit = round(self.timeout * 1000)
        await connection.execute(f"SET idle_in_transaction_session_timeout = {limit}")
        if connection.get_server_version().major >= _TRANSACTION_TIMEOUT_SINCE:
            await connection.execute(f"SET transaction_timeout = {limit}")
        settings = self.settings
        jitter = random.random() * settings.max_connection_lifetime_jitter  # noqa: S311 - no secret
        lifetime = (settings.max_connection_lifetime + jitter).total_seconds()
        connection.retires_at = asyncio.get_running_loop().time() + lifetime


class Pool:
    """asyncpg's pool with a limit on a connection's lifetime, and no second chance for a
    connection on which anything went wrong."""

    def __init__(self, database: Database, pool: Any) -> None:
        self._database = database
        self._pool = pool

    async def open(self) -> None:
        with self._database.translated():
            await self._pool

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Within at most `connection_timeout`, all in all. Raises Unavailable."""
        with self._database.translated():
            async with asyncio.timeout(self._database.timeout):
                connection = await self._pool.acquire()
                retires_at = connection.retires_at
                try:
                    yield connection
                except BaseException:
                    with _taken_by_the_server():
                        connection.terminate()
                    raise
                else:
                    if asyncio.get_running_loop().time() > retires_at:
                        with _taken_by_the_server():
                            await connection.close()
                finally:
                    await self._pool.release(connection)

    async def close(self) -> None:
        try:
            async with asyncio.timeout(self._database.timeout):
                await self._pool.close()
        except (TimeoutError, OSError, asyncpg.InterfaceError):
            self._pool.terminate()


def _taken_by_the_server() -> AbstractContextManager[None]:
    """A connection that the server ended has left the pool already, and cannot be ended again."""
    return suppress(asyncpg.InterfaceError)


def _ssl_context(tls: PostgresTls) -> ssl.SSLContext | bool:
    if tls.mode is TlsMode.DISABLE:
        return False
    try:
        context = ssl.create_default_context(cafile=tls.ca_path or None)
        context.check_hostname = tls.mode is TlsMode.VERIFY_FULL
        if tls.mode is TlsMode.VERIFY_NONE:
            context.verify_mode = ssl.CERT_NONE
        if tls.cert_path:
            context.load_cert_chain(Path(tls.cert_path), Path(tls.key_path or tls.cert_path))
    except OSError as error:
        files = ", ".join(filter(None, (tls.ca_path, tls.cert_path, tls.key_path)))
        raise CannotOpen(f"store.postgres.tls: cannot load {files}: {error}") from error
    return context


_KEEPALIVE = (("TCP_KEEPIDLE", 4), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3))
"""Seconds of silence, seconds between probes, probes (tcp(7)); not every system has all of them."""


def _keep_alive(found: socket.socket) -> None:
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, number in (*_KEEPALIVE, ("TCP_USER_TIMEOUT", 10_000)):
        if hasattr(socket, option):
            found.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), number)


async def _nothing_to_reset(_connection: Connection) -> None:
    """Pooled connections are given no session state, so a round trip to reset it is saved."""
