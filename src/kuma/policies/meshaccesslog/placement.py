"""Where access logs ride in a plan.

Rules of an inbound do not replace each other: every one whose match holds logs to all its backends,
though the same to one backend once.
"""

from kuma.policies.meshaccesslog import KIND
from kuma.policies.meshaccesslog.model import AccessLogConf, InboundLog, InboundLogs
from kuma.resolve.placement import InboundRules, Placement


def place_logs(rules: InboundRules) -> tuple[object, ...]:
    logs = [
        InboundLog(rule.match, backend)
        for rule in rules.by_match
        if isinstance(rule.conf, AccessLogConf)
        for backend in rule.conf.backends or ()
    ]
    return (InboundLogs(tuple(dict.fromkeys(logs))),) if logs else ()


PLACEMENT = Placement(
    kind=KIND,
    conf=AccessLogConf,
    on_outbound=True,
    on_route=True,
    on_outside=True,
    on_inbound=place_logs,
    tells_proxy=True,
)
