"""A network namespace in which connections are redirected as on a machine with transparent proxying.

    with a_network() as network: ...    from here on this thread's sockets and children are in it

Connections with the mark OUTGOING go to port 15001, those with INCOMING to port 15006; the others, such
as those of Envoy itself, go where they want. Needs root, and iptables.
"""

import asyncio
import ctypes
import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

OUTGOING, INCOMING = 7, 8
MACHINE = "10.99.0.1"
"""The address of the machine. It also has ELSEWHERE, which is of nobody in the mesh."""
ELSEWHERE = "198.51.100.7"
ELSEWHERE_TOO = "198.51.100.8"

_CLONE_NEWNET = 0x40000000

needs_namespace = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("iptables") is None,
    reason="redirects connections: needs root, and iptables",
)


@contextmanager
def a_network() -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET):
            pytest.skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        for command in _commands():
            subprocess.run(command.split(), check=True, capture_output=True)
        yield
    finally:
        libc.setns(before, _CLONE_NEWNET)
        os.close(before)


def _commands() -> list[str]:
    redirect = "iptables -t nat -A OUTPUT -p tcp -m mark --mark"
    return [
        "ip link set lo up",
        f"ip address add {MACHINE}/24 dev lo",
        f"ip address add {ELSEWHERE}/32 dev lo",
        f"ip address add {ELSEWHERE_TOO}/32 dev lo",
        "ip route add default via 10.99.0.254 dev lo",
        f"{redirect} {OUTGOING} -j REDIRECT --to-ports 15001",
        f"{redirect} {INCOMING} -j REDIRECT --to-ports 15006",
    ]


async def backend_at(
    address: str,
    port: int,
    *,
    mark: int = OUTGOING,
    host: str = "",
    tls: ssl.SSLContext | None = None,
) -> str:
    """The backend that answers over a redirected connection of its own, or the status, or the error.
    `host` is the name that is asked for."""
    try:
        async with asyncio.timeout(1.5):
            return await _ask(address, port, mark, host, tls)
    except (OSError, asyncio.IncompleteReadError) as error:
        return type(error).__name__


async def _ask(address: str, port: int, mark: int, host: str, tls: ssl.SSLContext | None) -> str:
    connection = await _connected(address, port, mark)
    reader, writer = await asyncio.open_connection(
        sock=connection, ssl=tls, server_hostname=host or None if tls else None
    )
    try:
        name = host or f"{address}:{port}"
        writer.write(f"GET / HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = head.split()[1]
        if status != "200":
            return status
        [length] = [line[15:] for line in head.split("\r\n") if line.startswith("content-length:")]
        return str(json.loads(await reader.readexactly(int(length)))["backend"])
    finally:
        writer.close()


async def _connected(address: str, port: int, mark: int) -> socket.socket:
    connection = socket.socket()
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection
