from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.control_plane import STRANGER, ControlPlane, a_control_plane
from tests.support.builders import a_mesh


@pytest.fixture
async def control_plane() -> AsyncIterator[ControlPlane]:
    """With the mesh `default`."""
    async with a_control_plane() as control_plane:
        await control_plane.add(a_mesh())
        yield control_plane


@pytest.fixture
async def admin(control_plane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    """Calls from this machine."""
    async with control_plane.client() as client:
        yield client


@pytest.fixture
async def stranger(control_plane: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    """Calls from elsewhere, without credentials."""
    async with control_plane.client(peer=STRANGER, host="mesh.example.com") as client:
        yield client
