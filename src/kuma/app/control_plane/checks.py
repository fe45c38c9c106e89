"""Rules of kinds that need more than resources to check: handed to the Writer."""

from collections.abc import Iterator
from typing import Any, cast

from kuma.identity.provided import provided_violations
from kuma.resources.admission import View
from kuma.resources.kinds.mesh import MESH, MeshSpec
from kuma.resources.kinds.mesh.ca_backends import PROVIDED
from kuma.resources.resource import Resource
from kuma.resources.violation import Violation, at


def check_provided_authorities(mesh: Resource[Any], view: View) -> tuple[Violation, ...]:
    """The certificate and key of each provided CA must be there, belong together and be a CA's,
    unless the mesh says `mtls.skipValidation`."""
    return tuple(_violations(mesh.name, cast("MeshSpec", mesh.spec), view))


def _violations(mesh: str, spec: MeshSpec, view: View) -> Iterator[Violation]:
    if spec.mtls is None or spec.mtls.skip_validation:
        return
    for index, backend in enumerate(spec.mtls.backends):
        if backend.type == PROVIDED:
            found = provided_violations(backend.provided_conf(), mesh=mesh, secrets=view)
            yield from at(f"mtls.backends[{index}].conf", found)


CHECKS = {MESH.name: check_provided_authorities}
