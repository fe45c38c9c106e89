"""The configuration file: which control planes there are, and which one is spoken to.

The format is Kuma's, so that its kumactl and this one can share a file. Every value is immutable;
a change makes a new `Configuration`, which is written whole or not at all.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kuma.app.ctl.errors import CtlError

NO_ACTIVE = (
    "there is no active Control Plane left. Use `kumactl config control-planes add` "
    "to add a Control Plane and make it active"
)


@dataclass(frozen=True)
class ApiServer:
    url: str
    ca_cert_file: str = ""
    client_cert_file: str = ""
    client_key_file: str = ""
    skip_verify: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    auth_type: str = ""
    auth_conf: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ControlPlane:
    name: str
    api: ApiServer


@dataclass(frozen=True)
class Context:
    """`mesh` is used where a command is not given one."""

    name: str
    control_plane: str
    mesh: str = ""


@dataclass(frozen=True)
class Configuration:
    control_planes: tuple[ControlPlane, ...] = ()
    contexts: tuple[Context, ...] = ()
    current: str = ""

    def find_control_plane(self, name: str) -> ControlPlane | None:
        return next((each for each in self.control_planes if each.name == name), None)

    def find_context(self, name: str) -> Context | None:
        return next((each for each in self.contexts if each.name == name), None)

    @property
    def active(self) -> Context | None:
        return self.find_context(self.current)

    def with_control_plane(self, added: ControlPlane) -> "Configuration":
        """With it active, in place of one with the same name."""
        return Configuration(
            _with(self.control_planes, added),
            _with(self.contexts, Context(added.name, added.name)),
            added.name,
        )

    def without_control_plane(self, name: str) -> "Configuration":
        """The first of those left becomes active if it was this one."""
        contexts = tuple(each for each in self.contexts if each.control_plane != name)
        left = replace(
            self,
            control_planes=tuple(each for each in self.control_planes if each.name != name),
            contexts=contexts,
        )
        return left if left.active else replace(left, current=contexts[0].name if contexts else "")


def _with(known: tuple[Any, ...], added: Any) -> tuple[Any, ...]:
    if any(each.name == added.name for each in known):
        return tuple(added if each.name == added.name else each for each in known)
    return (*known, added)


DEFAULT = Configuration().with_control_plane(
    ControlPlane("local", ApiServer("http://localhost:5681"))
)


def load_configuration(file: Path) -> Configuration:
    """`DEFAULT` if there is no file. Raises CtlError."""
    # Differs from Kuma: a file is written when something is changed, not by any first command.
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return DEFAULT
    except UnicodeDecodeError as error:
        raise CtlError(f"configuration file {file}: is not UTF-8 text") from error
    except OSError as error:
        raise CtlError(f"configuration file {file}: cannot be read: {error.strerror}") from error
    from kuma.kit.json_yaml import BadYaml, load_yaml

    try:
        found = load_yaml(text)
        return _parse({} if found is None else found)
    except BadYaml as error:
        raise CtlError(f"configuration file {file}: {error}") from error
    except _Malformed as error:
        raise CtlError(f"configuration file {file}: {error}") from error


def save_configuration(file: Path, configuration: Configuration) -> None:
    """Whole or not at all, and for the user's eyes only: it may hold tokens. Raises CtlError."""
    target = file.resolve()
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    text = render_configuration(configuration)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as written:
            written.write(text)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CtlError(f"configuration file {file}: cannot be written: {error.strerror}") from error


def render_configuration(configuration: Configuration) -> str:
    """As YAML."""
    from kuma.kit.json_yaml import dump_yaml

    return dump_yaml(_to_document(configuration))


class _Malformed(Exception):
    pass


class _Object:
    """An object of the file. Keys may be in snake case too, as protobuf's JSON form allows."""

    def __init__(self, raw: object, path: str) -> None:
        if not isinstance(raw, Mapping):
            raise _Malformed(f"{path or 'the file'}: must be an object")
        self._raw = {_camel(str(key)): value for key, value in raw.items()}
        self._path = path

    def text(self, key: str) -> str:
        found = self._raw.get(key)
        if found is None:
            return ""
        if not isinstance(found, str):
            raise _Malformed(f"{self._at(key)}: must be a string")
        return found

    def flag(self, key: str) -> bool:
        found = self._raw.get(key) or False
        if not isinstance(found, bool):
            raise _Malformed(f"{self._at(key)}: must be true or false")
        return found

    def object(self, key: str) -> "_Object":
        return _Object(self._raw.get(key) or {}, self._at(key))

    def objects(self, key: str) -> list["_Object"]:
        found = self._raw.get(key) or []
        if not isinstance(found, list):
            raise _Malformed(f"{self._at(key)}: must be a list")
        return [_Object(each, f"{self._at(key)}[{index}]") for index, each in enumerate(found)]

    def texts(self, key: str) -> tuple[tuple[str, str], ...]:
        found = self._raw.get(key) or {}
        if not isinstance(found, Mapping) or not all(
            isinstance(each, str) for each in found.values()
        ):
            raise _Malformed(f"{self._at(key)}: must be an object of strings")
        return tuple(found.items())

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def _camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(each.capitalize() for each in rest)


def _parse(raw: object) -> Configuration:
    whole = _Object(raw, "")
    return Configuration(
        tuple(_parse_control_plane(each) for each in whole.objects("controlPlanes")),
        tuple(
            Context(
                each.text("name"), each.text("controlPlane"), each.object("defaults").text("mesh")
            )
            for each in whole.objects("contexts")
        ),
        whole.text("currentContext"),
    )


def _parse_control_plane(raw: _Object) -> ControlPlane:
    api = raw.object("coordinates").object("apiServer")
    return ControlPlane(
        raw.text("name"),
        ApiServer(
            url=api.text("url"),
            ca_cert_file=api.text("caCertFile"),
            client_cert_file=api.text("clientCertFile"),
            client_key_file=api.text("clientKeyFile"),
            skip_verify=api.flag("skipVerify"),
            headers=tuple(
                (each.text("key"), each.text("value")) for each in api.objects("headers")
            ),
            auth_type=api.text("authType"),
            auth_conf=api.texts("authConf"),
        ),
    )


def _to_document(configuration: Configuration) -> dict[str, Any]:
    return _without_empty(
        {
            "controlPlanes": [
                {"name": each.name, "coordinates": {"apiServer": _api_document(each.api)}}
                for each in configuration.control_planes
            ],
            "contexts": [
                _without_empty(
                    {
                        "name": each.name,
                        "controlPlane": each.control_plane,
                        "defaults": {"mesh": each.mesh} if each.mesh else {},
                    }
                )
                for each in configuration.contexts
            ],
            "currentContext": configuration.current,
        }
    )


def _api_document(api: ApiServer) -> dict[str, Any]:
    return _without_empty(
        {
            "url": api.url,
            "caCertFile": api.ca_cert_file,
            "clientCertFile": api.client_cert_file,
            "clientKeyFile": api.client_key_file,
            "skipVerify": api.skip_verify,
            "headers": [{"key": key, "value": value} for key, value in api.headers],
            "authType": api.auth_type,
            "authConf": dict(api.auth_conf),
        }
    )


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value}
