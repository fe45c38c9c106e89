"""A set of resources of one mesh: proxies, services, policies. The seed decides everything."""

from dataclasses import dataclass

from tests.compare import proxies, services, targets, trust
from tests.compare.chance import Chance, Json
from tests.compare.policies import KINDS, a_policy


@dataclass(frozen=True)
class World:
    seed: int
    mesh: str
    documents: tuple[Json, ...]

    def of(self, kind: str) -> list[str]:
        return [each["name"] for each in self.documents if each["type"] == kind]


def a_world(seed: int, kinds: list[str], *, policies: int = 30) -> World:
    r = Chance(seed)
    mesh = f"m{seed}"
    documents = [
        trust.a_mesh(r, mesh),
        *(services.a_service(r, mesh, name) for name in r.some_of(targets.SERVICES, least=1)),
        *(services.a_multi_zone(r, mesh, name) for name in r.some_of(targets.MULTI_ZONE, most=2)),
        *(proxies.a_dataplane(r, mesh, name) for name in targets.DATAPLANES),
        *(services.a_mesh_external(r, mesh, name) for name in r.some_of(targets.EXTERNAL, most=2)),
        *(services.an_external(r, mesh, name) for name in r.some_of(["ext-a", "ext-b"], most=2)),
        *(services.a_collector(r, mesh, name) for name in r.some_of(targets.COLLECTORS, most=2)),
        *(
            trust.an_identity(r, mesh, name)
            for name in r.some_of(["main", "other"], most=r.choice([0, 1, 2]))
        ),
        *(trust.a_trust(r, mesh, name) for name in r.some_of(["partner", "friend"], most=1)),
        *(services.a_generator(r, f"{mesh}-{each}") for each in r.some_of("abc", most=2)),
        trust.an_odd_mesh(r, f"{mesh}-odd"),
    ]
    routes = [
        (name, r.choice(["MeshHTTPRoute", "MeshHTTPRoute", "MeshTCPRoute"]))
        for name in targets.ROUTES
    ]
    documents += [a_policy(r, kind, mesh, name) for name, kind in routes if kind in kinds]
    favoured = r.sample(kinds, min(5, len(kinds)))
    for number in range(policies):
        kind = r.choice(favoured if r.at(0.7) else kinds)
        documents.append(a_policy(r, kind, mesh, f"{r.choice('abc')}-{number}"))
    return World(seed, mesh, tuple(documents))


def all_kinds() -> list[str]:
    return list(KINDS)
