"""What the operating system lets a control plane have.

A login or a service manager allows a program 1,024 open files unless it asks for more, so that
compilers of old do not break; each connected proxy takes one. Programs in Go ask by themselves.
"""

import resource

import structlog

log = structlog.get_logger("kuma-cp")

FEW = 4096
"""Open files that are few for a control plane: less than so many proxies can connect."""


def allow_open_files() -> None:
    """As many as this process may have at all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < FEW:
        log.warning(
            "few files may be open, so few proxies can connect; raise ulimit -n", limit=hard
        )
