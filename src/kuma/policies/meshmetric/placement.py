"""Metrics are about a proxy as a whole, and all of them its own."""

from kuma.plan.measured import Measured
from kuma.policies.meshmetric import KIND
from kuma.policies.meshmetric.model import MetricConf, Metrics
from kuma.resolve.placement import Placement, Rule


def place_metrics(rule: Rule, measured: Measured) -> tuple[object, ...]:
    """Nothing for a proxy whose kuma-dp, which does the work, has not said where it works."""
    conf = rule.conf
    if not isinstance(conf, MetricConf) or not conf.backends or not measured.machine.work_dir:
        return ()
    return (Metrics(conf, measured, rule.origins[-1]),)


PLACEMENT = Placement(kind=KIND, conf=MetricConf, on_measured=place_metrics)
