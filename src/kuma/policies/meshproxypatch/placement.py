"""Patches are about a proxy as a whole."""

import json
import re

from kuma.policies.meshproxypatch import KIND
from kuma.policies.meshproxypatch.model import Patch, Patches, ProxyPatchConf
from kuma.resolve.placement import Placement, Rule
from kuma.resources.spec import SpecModel

_SOCKET_MATCH = re.compile(r"transport_?socket_?match", re.IGNORECASE)


def place_patches(rule: Rule) -> tuple[object, ...]:
    """From the sources, whose lists the merged conf joins, since they tell where each is written."""
    patches = tuple(
        Patch(mod, source.origin, position)
        for source in rule.sources
        if isinstance(source.conf, ProxyPatchConf)
        for position, each in enumerate(source.conf.append_modifications or ())
        for mod in each.defined
    )
    return (Patches(patches),) if patches else ()


def speaks_of_socket_matches(spec: SpecModel) -> bool:
    """In either way to write the field's name, in YAML or in a JSON pointer."""
    return _SOCKET_MATCH.search(json.dumps(spec.to_json())) is not None


PLACEMENT = Placement(
    kind=KIND,
    conf=ProxyPatchConf,
    on_proxy=place_patches,
    matches_sockets=speaks_of_socket_matches,
)
