"""What every command gets: the global flags, the configuration, a client, the time."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kuma.app.ctl.configuration import (
    DEFAULT,
    NO_ACTIVE,
    Configuration,
    ControlPlane,
    load_configuration,
    save_configuration,
)
from kuma.app.ctl.errors import CtlError
from kuma.kit.clock import Clock, SystemClock
from kuma.kit.go_cli import persistent_value
from kuma.resources.names import DEFAULT_MESH

if TYPE_CHECKING:
    from kuma.app.ctl.client import ControlPlaneClient

_API_TIMEOUT = timedelta(minutes=1)


@dataclass(frozen=True)
class World:
    """What is outside of the process."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Clock = field(default_factory=SystemClock)


class Session:
    def __init__(self, context: click.Context) -> None:
        self._context = context
        self._world = context.find_object(World) or World()

    @property
    def clock(self) -> Clock:
        return self._world.clock

    @property
    def timeout(self) -> timedelta:
        given: timedelta | None = persistent_value(self._context, "api_timeout")
        return _API_TIMEOUT if given is None else given

    @property
    def is_traced(self) -> bool:
        return bool(persistent_value(self._context, "log_level") == "debug")

    @property
    def config_file(self) -> Path:
        given = persistent_value(self._context, "config_file")
        if given:
            return Path(given)
        home = self._world.environ.get("HOME") or str(Path.home())
        return Path(home) / ".kumactl" / "config"

    @cached_property
    def configuration(self) -> Configuration:
        if persistent_value(self._context, "no_config"):
            return DEFAULT
        return load_configuration(self.config_file)

    def save(self, configuration: Configuration) -> None:
        if persistent_value(self._context, "no_config"):
            raise CtlError("--no-config: there is no configuration file to change")
        save_configuration(self.config_file, configuration)

    @property
    def control_plane(self) -> ControlPlane:
        """That of --context, else the active one. Raises CtlError."""
        configuration = self.configuration
        asked = persistent_value(self._context, "context")
        if asked:
            context = configuration.find_context(asked)
            found = configuration.find_control_plane(context.control_plane if context else asked)
            if found is None:
                known = ", ".join(each.name for each in configuration.contexts)
                raise CtlError(f'there is no context "{asked}", there are: {known}')
            return found
        active = configuration.active
        found = configuration.find_control_plane(active.control_plane) if active else None
        if found is None:
            raise CtlError(NO_ACTIVE)
        return found

    def mesh(self, given: str | None) -> str:
        """As `--mesh` says, else the context, else `default`."""
        # Differs from Kuma: it never looks at the context's default.
        asked = persistent_value(self._context, "context") or self.configuration.current
        context = self.configuration.find_context(asked)
        return given or (context.mesh if context else "") or DEFAULT_MESH

    def client(self) -> "ControlPlaneClient":
        """Closed when the command ends."""
        return self.client_of(self.control_plane)

    def client_of(self, control_plane: ControlPlane) -> "ControlPlaneClient":
        from kuma.app.ctl.client import ControlPlaneClient

        client = ControlPlaneClient(
            control_plane, timeout=self.timeout, now=self.clock.now, trace=self.is_traced
        )
        self._context.call_on_close(client.close)
        return client
