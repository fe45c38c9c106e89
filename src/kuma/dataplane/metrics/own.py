"""What kuma-dp measures of itself: its process, and what it asks of Envoy's dynamic configuration.

They have no labels of the proxy, so that an application may have such ones as well.
Source: Kuma, whose kuma-dp has these under the same names, beside those of Go.
"""

from collections.abc import Iterable, Iterator

from kuma.dataplane.dynamic_config import BOUNDS, Asked
from kuma.dataplane.metrics.exposition import Families, Family, Sample

_PREFIX = "kuma_dp_envoyconfigfetcher_handler"


def own_families(asked: Iterable[Asked]) -> Families:
    found = (*_process(), *_asked(tuple(asked)))
    return {family.name: family for family in found if family.samples}


def _process() -> Iterator[Family]:
    # Only whom it concerns pays for what this loads.
    from prometheus_client import ProcessCollector

    for family in ProcessCollector(registry=None).collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        samples = [_sample(each.name, "", each.value) for each in family.samples]
        yield Family(name, family.type, family.documentation, samples)


def _asked(asked: tuple[Asked, ...]) -> Iterator[Family]:
    for field, text in (("call", "How often Envoy was asked"), ("error", "How often that failed")):
        name = f"{_PREFIX}_{field}_count"
        samples = [_sample(name, _path(each), getattr(each, f"{field}s")) for each in asked]
        yield Family(name, "counter", text, samples)
    name = f"{_PREFIX}_call_duration_seconds"
    text = "How long it took to hear something new"
    yield Family(name, "histogram", text, [s for each in asked for s in _durations(name, each)])


def _durations(name: str, asked: Asked) -> Iterator[Sample]:
    path = _path(asked)
    for bound, count in zip(BOUNDS, asked.within, strict=True):
        yield _sample(f"{name}_bucket", f'{path},le="{bound:g}"', count)
    yield _sample(f"{name}_bucket", f'{path},le="+Inf"', asked.changes)
    yield _sample(f"{name}_sum", path, asked.seconds)
    yield _sample(f"{name}_count", path, asked.changes)


def _sample(name: str, labels: str, number: float) -> Sample:
    return Sample(name, labels, repr(number), is_bare=True)


def _path(asked: Asked) -> str:
    return f'path="{asked.path}"'
