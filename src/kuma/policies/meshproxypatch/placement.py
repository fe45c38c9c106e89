"""Patches are about a proxy as a whole."""

from kuma.policies.meshproxypatch import KIND
from kuma.policies.meshproxypatch.model import Patch, Patches, ProxyPatchConf
from kuma.resolve.placement import Placement, Rule


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


PLACEMENT = Placement(kind=KIND, conf=ProxyPatchConf, on_proxy=place_patches)
