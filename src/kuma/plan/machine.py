"""What a proxy has said of where it runs, as far as its configuration depends on it."""

from kuma.kit.value import value
from kuma.plan.otel_env import OtelEnv

LOCAL = "127.0.0.1"
LOG_PIPE = "feature-tcp-accesslog-via-named-pipe"
"""The proxy's kuma-dp takes access logs that go over TCP."""
OTEL_PIPE = "feature-otel-via-kuma-dp"
"""It takes OTLP, and sends it on to collectors."""


@value
class Machine:
    """`log_pipe`: kuma-dp takes the access logs there that go over TCP; empty: it takes none.
    `host_ip`: the machine's own address, where collectors beside the proxy are.
    `system_ca_path`: its CAs. `work_dir`: where kuma-dp and Envoy have the sockets between them; empty: it
    has not said. `metrics_cert`, `metrics_key`: files for those who ask for metrics, if it has any.
    `spire_socket`: that of the SPIRE agent; empty: where the control plane takes it to be. `otel`: what
    the environment of a kuma-dp that takes OTLP has for collectors; None: it takes none."""

    log_pipe: str = ""
    host_ip: str = LOCAL
    system_ca_path: str = ""
    work_dir: str = ""
    metrics_cert: str = ""
    metrics_key: str = ""
    spire_socket: str = ""
    otel: OtelEnv | None = None


def source_towards(address: str) -> str:
    """From where the proxy calls its workload: where that is not at the loopback address, from one that
    the redirection knows, so that the connection is not redirected to the proxy again."""
    if address in {"127.0.0.1", "::1"}:
        return ""
    return "::6" if ":" in address else "127.0.0.6"


def log_pipe(work_dir: str, *, mesh: str, name: str) -> str:
    """Where kuma-dp takes access logs. Source: Kuma, which cuts the names of all its sockets so that
    they fit in sockaddr_un."""
    return _socket(work_dir, f"kuma-al-{name}-{mesh}")


def metrics_socket(work_dir: str, *, mesh: str, name: str) -> str:
    """Where kuma-dp serves the metrics of Envoy and of the applications."""
    return _socket(work_dir, f"kuma-mh-{name}-{mesh}")


def dynamic_config_socket(work_dir: str) -> str:
    """Where Envoy serves what the control plane tells kuma-dp."""
    return _socket(work_dir, "kuma-mesh-metric-config")


def collector_socket(work_dir: str, collector: str) -> str:
    """Where what goes to a collector is taken: by kuma-dp, or by Envoy if that sends it on."""
    return _socket(work_dir, f"kuma-otel-{collector}")


def _socket(work_dir: str, name: str) -> str:
    return f"{work_dir.rstrip('/')}/{name}"[:98] + ".sock"
