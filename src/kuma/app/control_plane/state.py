"""What all parts of a control plane stand on: its settings, and the resources.

database -> store -> replica
              ^-- writer
"""

import socket
import uuid
from pathlib import Path

from kuma.app.control_plane.checks import CHECKS
from kuma.app.control_plane.stores import choose_database
from kuma.config.control_plane import ControlPlaneSettings
from kuma.kit.clock import Clock
from kuma.policies.catalogue import REGISTRY
from kuma.policies.defaults import default_policies
from kuma.resources.kinds.mesh import MESH
from kuma.resources.replica import Replica
from kuma.resources.resource import AnyResource
from kuma.resources.writer import Writer
from kuma.upkeep.defaults import secrets_of_mesh


class State:
    def __init__(self, settings: ControlPlaneSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.zone = settings.multizone.zone.name
        self.instance = f"{socket.gethostname()}-{uuid.uuid4().hex[:4]}"
        self.work_dir = Path(settings.general.work_dir).expanduser()
        self.database = choose_database(
            settings, self.work_dir, REGISTRY, clock, instance=self.instance
        )
        self.store = self.database.store
        self.replica = Replica()
        self.writer = Writer(
            self.store,
            self.replica,
            REGISTRY,
            clock,
            zone=self.zone,
            environment=settings.environment,
            mode=settings.mode,
            companions={MESH.name: self._companions},
            checks=CHECKS,
            unsafe_delete=settings.store.unsafe_delete,
        )

    def _companions(self, mesh: AnyResource) -> list[AnyResource]:
        return [
            *secrets_of_mesh(mesh, replica=self.replica, clock=self.clock),
            *default_policies(mesh),
        ]
