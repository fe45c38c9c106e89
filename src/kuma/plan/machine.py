"""What a proxy has said of where it runs, as far as its configuration depends on it."""

from kuma.kit.value import value

LOCAL = "127.0.0.1"
LOG_PIPE = "feature-tcp-accesslog-via-named-pipe"
"""The proxy's kuma-dp takes access logs that go over TCP."""


@value
class Machine:
    """`log_pipe`: kuma-dp takes the access logs there that go over TCP; empty: it takes none.
    `host_ip`: the machine's own address, where collectors beside the proxy are.
    `system_ca_path`: its CAs."""

    log_pipe: str = ""
    host_ip: str = LOCAL
    system_ca_path: str = ""


def log_pipe(work_dir: str, *, mesh: str, name: str) -> str:
    """Where kuma-dp takes access logs. Source: Kuma, which cuts the names of all its sockets so that
    they fit in sockaddr_un."""
    return f"{work_dir.rstrip('/')}/kuma-al-{name}-{mesh}"[:98] + ".sock"
