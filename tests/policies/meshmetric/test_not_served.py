"""What cannot be served as it was asked for is told, backend by backend."""

from typing import Any

from kuma.kit.slots import EMPTY
from kuma.plan.machine import Machine
from kuma.plan.measured import Measured
from kuma.plan.origin import Origin
from kuma.policies.meshmetric.model import MetricConf, Metrics
from kuma.policies.meshmetric.shape import SHAPER


def problems(*backends: dict[str, Any], **measured: Any) -> list[str]:
    conf = MetricConf.model_validate(
        {"backends": [{"type": "Prometheus", "prometheus": each} for each in backends]}
    )
    of = Measured(
        "default", "web-1", "10.0.0.1", (), machine=Machine(work_dir="/tmp/a"), **measured
    )
    found = SHAPER.add(EMPTY.put(Metrics(conf, of, Origin("MeshMetric", "default", "all"))))
    assert len(found.problems) + sum(
        "prometheus" in made.resource.name for made in found.made
    ) >= len(backends)
    return [each.path for each in found.problems]


def test_each_reason_is_told_where_it_is() -> None:
    found = problems(
        {"clientId": "a", "port": 1, "tls": {"mode": "ProvidedTLS"}},
        {"clientId": "b", "port": 2, "tls": {"mode": "ActiveMTLSBackend"}},
        {"clientId": "c", "port": 3},
        {"clientId": "d", "port": 4},
        taken=(3,),
    )
    where = "spec.default.backends"
    assert found == [
        f"{where}[0].prometheus.tls.mode",
        f"{where}[1].prometheus.tls.mode",
        f"{where}[2].prometheus.port",
    ]


def test_two_of_one_unified_name_are_told() -> None:
    backends = ({"clientId": "A.main", "port": 1}, {"clientId": "B.main", "port": 2})
    assert problems(*backends) == []
    assert problems(*backends, is_unified=True) == ["spec.default.backends[1].prometheus.clientId"]
