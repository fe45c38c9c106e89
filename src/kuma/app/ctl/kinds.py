"""The kinds of resources, as the control plane knows them.

They are asked for, not built in: so kumactl serves every kind of the control plane that it speaks
to, and need not load the models of any. Users name a kind by its type (`MeshTimeout`), in the
singular or plural of the REST path, or by its short name; case and dashes do not matter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kuma.app.ctl.client import ControlPlaneClient, path_of
from kuma.app.ctl.errors import CtlError
from kuma.kit.go_cli import did_you_mean


@dataclass(frozen=True)
class KindFacts:
    """`path` is the REST segment."""

    name: str
    path: str
    is_mesh_scoped: bool
    is_read_only: bool = False
    is_policy: bool = False
    short: str = ""

    def resources_path(self, mesh: str) -> str:
        return path_of("meshes", mesh, self.path) if self.is_mesh_scoped else path_of(self.path)

    def resource_path(self, mesh: str, name: str) -> str:
        return self.resources_path(mesh) + path_of(name)


class Kinds:
    def __init__(self, kinds: Iterable[KindFacts]) -> None:
        self._kinds = tuple(kinds)
        self._by_name = {each.name: each for each in self._kinds}
        self._by_word = {
            _plain(word): each
            for each in self._kinds
            for word in (each.short, each.path, each.name)
            if word
        }

    def by_type(self, name: str) -> KindFacts:
        """As a document names it, exactly. Raises CtlError with the nearest."""
        if (found := self._by_name.get(name)) is not None:
            return found
        raise CtlError(f'unknown type "{name}"{did_you_mean(name, tuple(self._by_name))}')

    def by_word(self, word: str) -> KindFacts:
        """As a user names it. Raises CtlError with the nearest."""
        if (found := self._by_word.get(_plain(word))) is not None:
            return found
        words = [each.path for each in self._kinds] + [each.name.lower() for each in self._kinds]
        raise CtlError(f'unknown type of resource "{word}"{did_you_mean(word.lower(), words)}')


def _plain(word: str) -> str:
    return word.lower().replace("-", "")


def fetch_kinds(client: ControlPlaneClient) -> Kinds:
    found = client.get("/_resources")
    return Kinds(_parse_kind(each) for each in found.get("resources") or ())


def _parse_kind(raw: Mapping[str, Any]) -> KindFacts:
    policy = raw.get("policy") or {}
    return KindFacts(
        name=raw["name"],
        path=raw["path"],
        is_mesh_scoped=raw.get("scope") == "Mesh",
        is_read_only=bool(raw.get("readOnly")),
        is_policy=bool(policy.get("isTargetRef")),
        short=raw.get("shortName") or "",
    )
