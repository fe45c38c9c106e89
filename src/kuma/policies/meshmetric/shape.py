"""Metrics -> what Envoy has between kuma-dp, which measures, and those who want to know.

    Prometheus ──> listener at port 5670 ──> cluster ── socket ──> kuma-dp                serve.py
    kuma-dp ── socket ──> listener ──> cluster ──> collector                              push.py
    kuma-dp ── socket ──> listener of the dynamic configuration: what to measure, for whom  told.py

Source: names and routes as seen in Kuma's configuration.
"""

from collections.abc import Iterator

from kuma.envoy.finished import Finished, Made
from kuma.envoy.shaper import Shaper
from kuma.envoy.told import Told
from kuma.kit.slots import Slots
from kuma.plan.collector import Collectors
from kuma.plan.piped import Piped
from kuma.plan.signal import Signal
from kuma.policies.meshmetric.model import Metrics
from kuma.policies.meshmetric.push import push, pushed
from kuma.policies.meshmetric.serve import serve, served
from kuma.policies.meshmetric.told import tell, tell_collector, tell_prometheus


class MetricShaper(Shaper):
    kind = "MeshMetric"

    def add(self, conf: Slots, *, system_ca_path: str = "") -> Finished:
        metrics = conf.get(Metrics)
        if metrics is None:
            return Finished(())
        backends, problems = served(metrics)
        made: dict[str, Made] = {}
        for backend in backends:
            for one in serve(backend, metrics.measured):
                made[f"{one.resource.type_url}{one.resource.name}"] = one
        to = pushed(metrics, conf.get(Collectors) or Collectors())
        more = (one for each in to for one in push(each, metrics.measured))
        return Finished((*made.values(), *more), tuple(problems))

    def told(self, conf: Slots) -> Iterator[Told]:
        """Nothing where nobody gets the metrics."""
        metrics = conf.get(Metrics)
        if metrics is None:
            return
        known = conf.get(Collectors) or Collectors()
        backends = [tell_prometheus()] if served(metrics)[0] else []
        backends += [
            tell_collector(each, metrics.measured.machine) for each in pushed(metrics, known)
        ]
        if backends or _are_piped(conf):
            yield tell(metrics, backends)


def _are_piped(conf: Slots) -> bool:
    piped = conf.get(Piped)
    backends = () if piped is None else piped.backends
    return any(each.signal is Signal.METRICS for to in backends for each in to.signals)


SHAPER = MetricShaper()
