"""Every policy kind, in order of application, and every kind of this process."""

from typing import Any

from kuma.policies import (
    meshaccesslog,
    meshcircuitbreaker,
    meshfaultinjection,
    meshhealthcheck,
    meshhttproute,
    meshloadbalancingstrategy,
    meshmetric,
    meshpassthrough,
    meshproxypatch,
    meshratelimit,
    meshretry,
    meshtcproute,
    meshtimeout,
    meshtls,
    meshtrace,
    meshtrafficpermission,
)
from kuma.resources.kind import Kind
from kuma.resources.kinds.catalogue import CORE_KINDS
from kuma.resources.registry import Registry

POLICIES: tuple[Kind[Any], ...] = (
    meshhttproute.KIND,
    meshtcproute.KIND,
    meshtls.KIND,
    meshloadbalancingstrategy.KIND,
    meshpassthrough.KIND,
    meshaccesslog.KIND,
    meshtrace.KIND,
    meshfaultinjection.KIND,
    meshratelimit.KIND,
    meshtimeout.KIND,
    meshtrafficpermission.KIND,
    meshhealthcheck.KIND,
    meshcircuitbreaker.KIND,
    meshretry.KIND,
    meshmetric.KIND,
    meshproxypatch.KIND,
)

REGISTRY = Registry((*CORE_KINDS, *POLICIES))
