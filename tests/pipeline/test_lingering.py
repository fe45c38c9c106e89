"""SPIFFE IDs that are taken away stay acceptable for a moment."""

import asyncio
from dataclasses import replace

import pytest

from kuma.kit.incremental import Engine
from kuma.pipeline import lingering
from kuma.pipeline.lingering import Lingering
from kuma.pipeline.view import of_kind_input
from kuma.resolve.identities import LINGERING
from kuma.resources.kinds.mesh_identity import MESH_IDENTITY, MeshIdentityStatus
from kuma.resources.resource import AnyResource
from kuma.resources.store import Change
from tests.support.builders import a_resource


def an_identity(reason: str = "Ready", team: str = "a") -> AnyResource:
    spec = {"selector": {"dataplane": {"matchLabels": {"team": team}}}}
    condition = {"type": "Ready", "status": str(reason == "Ready"), "reason": reason}
    status = MeshIdentityStatus.model_validate({"conditions": [condition]})
    return replace(a_resource(MESH_IDENTITY, "one", spec), status=status)


class Held:
    def __init__(self) -> None:
        self.engine = Engine()
        self.lingering = Lingering(self.engine)

    def see(self, *states: AnyResource | None) -> tuple[AnyResource, ...]:
        """One after the other; what lingers then."""
        for state in states:
            self.lingering.changed([Change(an_identity().key, state)])
        found: tuple[AnyResource, ...] = self.engine.peek(of_kind_input("default", LINGERING)) or ()
        return found


@pytest.mark.parametrize(
    ("states", "lingers"),
    [
        ((an_identity(),), False),
        ((an_identity("Preparing"), an_identity()), False),
        ((an_identity(), an_identity(team="b")), True),
        ((an_identity(), an_identity("Failure")), True),
        ((an_identity(), None), True),
        ((an_identity("PartiallyReady"), None), True),
        ((an_identity("Failure"), None), False),
    ],
)
async def test_what_says_less_than_before_lingers(
    states: tuple[AnyResource | None, ...], lingers: bool
) -> None:
    assert Held().see(*states) == (states[:1] if lingers else ())


async def test_it_is_gone_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "SPREAD", lingering.SPREAD * 0)
    held = Held()
    assert held.see(an_identity(), None) == (an_identity(),)

    gone = asyncio.Event()
    asyncio.get_running_loop().call_later(0, gone.set)
    await gone.wait()

    assert held.see() == ()
