"""Tracing is about a proxy as a whole, which says with every span who it is."""

from kuma.plan.reporter import Reporter
from kuma.policies.meshtrace import KIND
from kuma.policies.meshtrace.model import Trace, TraceConf
from kuma.resolve.placement import Placement, Rule


def place_trace(rule: Rule, reporter: Reporter) -> tuple[object, ...]:
    conf = rule.conf
    if not isinstance(conf, TraceConf):
        return ()
    return tuple(Trace(conf, backend, reporter) for backend in conf.backends or ())


PLACEMENT = Placement(kind=KIND, conf=TraceConf, on_reporter=place_trace)
