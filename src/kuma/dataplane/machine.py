"""What the machine is like: memory limit, IPv6, the system's CA file."""

import os
import socket
from pathlib import Path

# Source: https://go.dev/src/crypto/x509/root_linux.go, the places that distributions use.
_CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
# Version 2 of control groups first, then version 1.
_MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_NO_LIMIT = 1 << 60  # version 1 says "none" with the largest multiple of a page


def find_ca_file() -> str:
    """Empty: there is none."""
    return next((path for path in _CA_FILES if Path(path).is_file()), "")


def memory_limit() -> int:
    """Bytes that this container may use; 0: no limit."""
    for path in _MEMORY_LIMITS:
        try:
            limit = int(Path(path).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        return limit if limit < _NO_LIMIT else 0
    return 0


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def operating_system() -> str:
    """In Go's words, which the control plane expects: `linux`, `darwin`."""
    return os.uname().sysname.lower()
