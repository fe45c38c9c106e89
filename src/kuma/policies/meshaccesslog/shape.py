"""AccessLogConf and InboundLogs -> access loggers of connection managers and TCP proxies.

what holds for a part of a plan, with its conditions -> write.py -> chains, and clusters beside them
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener

from kuma.envoy.access_log import add_to_chains
from kuma.envoy.shaper import Direct, InboundChain, OutboundChain, PassedOut, Shaper
from kuma.plan.collector import Collectors
from kuma.plan.logged import LoggedAs
from kuma.plan.proxy import DirectAccess, Inbound, Outbound, OutboundPassthrough
from kuma.plan.route import HttpRouting
from kuma.policies.meshaccesslog.model import AccessLogConf, Backend, BackendType, InboundLogs
from kuma.policies.meshaccesslog.write import (
    HTTP_FORMAT,
    TCP_FORMAT,
    Writer,
    build_cluster,
    inbound_values,
    values_to,
)
from kuma.resources.kri import parse_kri
from kuma.resources.match import Match, SpiffeMatchType

_OUTSIDE = "external"


class AccessLogShaper(Shaper):
    kind = "MeshAccessLog"

    def inbound_chain(self, chain: InboundChain) -> None:
        logs, logged = chain.inbound.conf.get(InboundLogs), chain.inbound.conf.get(LoggedAs)
        if logs is None or logged is None:
            return
        writer = Writer(
            HTTP_FORMAT if chain.inbound.protocol.is_http else TCP_FORMAT,
            logged,
            inbound_values(chain.inbound, logged),
            _collectors(chain.inbound),
        )
        _add(chain, [writer.logger(each.backend, _condition(each.match)) for each in logs.logs])
        chain.inspects_tls |= any(each.match and each.match.sni for each in logs.logs)

    def outbound_chain(self, chain: OutboundChain) -> None:
        logged = chain.outbound.conf.get(LoggedAs)
        if logged is None:
            return
        writer = Writer(
            HTTP_FORMAT if chain.outbound.protocol.is_http else TCP_FORMAT,
            logged,
            values_to(_destination(chain.outbound), logged),
            _collectors(chain.outbound),
        )
        _add(
            chain,
            [
                writer.logger(backend, condition)
                for conf, condition in _confs(chain.outbound)
                for backend in conf.backends or ()
            ],
        )

    def passed_out(self, made: PassedOut) -> Iterator[Cluster]:
        """Differs from Kuma, whose line without a format of its own is `tcp`."""
        yield from _log_outside(made.plan, [(made.listener, _OUTSIDE)])

    def direct_access(self, made: Direct) -> Iterator[Cluster]:
        """Differs from Kuma, which tells the calls to one of the instances."""
        yield from _log_outside(made.plan, [(each, each.name) for each in made.listeners])

    def beside(self, part: Inbound | Outbound) -> Iterator[Cluster]:
        """The collectors."""
        logged = part.conf.get(LoggedAs)
        if logged is None:
            return
        yield from _clusters(_backends(part), _collectors(part), logged)


def _destination(outbound: Outbound) -> str:
    """A resource is called by its own name, without zone and port."""
    return parse_kri(outbound.kri).name if outbound.kri else outbound.service


def _log_outside(
    plan: OutboundPassthrough | DirectAccess, listeners: Iterable[tuple[Listener, str]]
) -> Iterator[Cluster]:
    """`listeners`, each with what its calls go to."""
    logged, conf = plan.conf.get(LoggedAs), plan.conf.get(AccessLogConf)
    if logged is None or conf is None:
        return
    backends = conf.backends or ()
    known = replace(plan.conf.get(Collectors) or Collectors(), is_unified=plan.is_unified)
    for listener, service in listeners:
        writer = Writer(TCP_FORMAT, logged, values_to(service, logged), known)
        add_to_chains(listener, writer.loggers(backends))
    yield from _clusters(backends, known, logged)


def _add(chain: InboundChain | OutboundChain, loggers: Sequence[AccessLog | None]) -> None:
    made = [each for each in loggers if each is not None]
    if chain.http is not None:
        chain.http.manager.access_log.extend(made)
    if chain.tcp is not None:
        chain.tcp.access_log.extend(made)


def _clusters(
    backends: Iterable[Backend], known: Collectors, logged: LoggedAs
) -> Iterator[Cluster]:
    for backend in backends:
        if backend.open_telemetry is not None and backend.type is BackendType.OPEN_TELEMETRY:
            found = build_cluster(backend.open_telemetry, known, logged.machine)
            if found is not None:
                yield found


def _backends(part: Inbound | Outbound) -> list[Backend]:
    if isinstance(part, Inbound):
        logs = part.conf.get(InboundLogs)
        return [each.backend for each in logs.logs] if logs is not None else []
    return [each for conf, _ in _confs(part) for each in conf.backends or ()]


def _collectors(part: Inbound | Outbound) -> Collectors:
    """What the backends of a part, and of its routes, may name."""
    routing = part.routing if isinstance(part, Outbound) else None
    routes = routing.routes if isinstance(routing, HttpRouting) else ()
    known = [conf.get(Collectors) for conf in (part.conf, *(route.conf for route in routes))]
    return Collectors(
        tuple(dict.fromkeys(pair for each in known if each is not None for pair in each.found)),
        is_unified=bool(part.unified_name),
    )


def _confs(outbound: Outbound) -> Iterator[tuple[AccessLogConf, str]]:
    """What holds for the outbound; where it differs from route to route each with a condition. What no
    route is for, is logged as the outbound's."""
    whole = outbound.conf.get(AccessLogConf)
    by_conf: dict[AccessLogConf | None, list[str]] = {}
    if isinstance(outbound.routing, HttpRouting):
        for route in outbound.routing.routes:
            by_conf.setdefault(route.conf.get(AccessLogConf), []).append(route.name)
    by_conf.pop(whole, None)
    if whole is not None:
        others = [name for names in by_conf.values() for name in names]
        yield whole, f"!({_is_one_of(others)})" if others else ""
    for conf, routes in by_conf.items():
        if conf is not None:
            yield conf, _is_one_of(routes)


def _is_one_of(routes: list[str]) -> str:
    return f"xds.route_name in {json.dumps(routes)}"


def _condition(match: Match | None) -> str:
    """In the Common Expression Language; empty: always."""
    parts = []
    if match is not None and match.spiffe_id is not None:
        uri, text = "connection.uri_san_peer_certificate", json.dumps(match.spiffe_id.value)
        is_prefix = match.spiffe_id.type is SpiffeMatchType.PREFIX
        parts.append(f"{uri}.startsWith({text})" if is_prefix else f"{uri} == {text}")
    if match is not None and match.sni is not None:
        parts.append(f"connection.requested_server_name == {json.dumps(match.sni.value)}")
    return " && ".join(parts)


SHAPER = AccessLogShaper()
