"""Settings of a program, ready to use: read, checked, completed, with what the user should know.

    gather -> complete (what follows from other settings) -> check -> Loaded(settings, warnings)

The programs' settings are imported late: kuma-dp starts beside every service and needs its own
alone. Source of the order: https://kuma.io/docs/2.14.x/documentation/configuration/
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from kuma.config import availability
from kuma.config.errors import BadConfig
from kuma.config.gather import gather, unknown_variables, without_effect
from kuma.config.section import Section, settings_of

if TYPE_CHECKING:
    from kuma.config.control_plane import ControlPlaneSettings
    from kuma.config.data_plane import DataPlaneSettings

S_co = TypeVar("S_co", bound=Section, covariant=True)
_READ_ELSEWHERE = frozenset({"KUMA_DP_USER"})
"""The transparent proxy's installation reads it."""


@dataclass(frozen=True)
class Loaded(Generic[S_co]):
    """`warnings` are sentences, to be logged once at the start."""

    settings: S_co
    warnings: tuple[str, ...]


def load_control_plane(
    file: Path | None, environ: Mapping[str, str]
) -> "Loaded[ControlPlaneSettings]":
    """Raises BadConfig with every problem."""
    from kuma.config.control_plane import ControlPlaneSettings
    from kuma.config.control_plane_rules import complete, problems

    read, named = gather(ControlPlaneSettings, file=file, environ=environ)
    settings = complete(read, environ)
    if found := problems(settings):
        raise BadConfig(found)
    unknown = unknown_variables(
        environ, settings_of(ControlPlaneSettings), of_others=_variables_of_data_plane
    )
    idle = without_effect(named, availability.CONTROL_PLANE)
    return Loaded(settings, (*unknown, *idle))


def load_data_plane(
    file: Path | None, environ: Mapping[str, str], *, flags: Mapping[str, object] | None = None
) -> "Loaded[DataPlaneSettings]":
    """`flags` are values by dotted key, such as `dataplaneRuntime.workDir`; they win. Raises
    BadConfig with every problem. Which settings go together depends on the command and is checked
    there."""
    from kuma.config.data_plane import DataPlaneSettings

    settings, named = gather(DataPlaneSettings, file=file, environ=environ, flags=flags)
    unknown = unknown_variables(
        environ, settings_of(DataPlaneSettings), of_others=_variables_of_control_plane
    )
    idle = without_effect(named, availability.DATA_PLANE)
    return Loaded(settings, (*unknown, *idle))


def _variables_of_data_plane() -> frozenset[str]:
    from kuma.config.data_plane import DataPlaneSettings

    return _READ_ELSEWHERE | _variables(DataPlaneSettings)


def _variables_of_control_plane() -> frozenset[str]:
    from kuma.config.control_plane import ControlPlaneSettings

    return _READ_ELSEWHERE | _variables(ControlPlaneSettings)


def _variables(model: type[Section]) -> frozenset[str]:
    return frozenset(name for each in settings_of(model) for name in each.variables)
