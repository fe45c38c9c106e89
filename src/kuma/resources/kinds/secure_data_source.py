"""Where a newer kind gets a certificate or a key from: a Secret, a file or an environment variable
of the control plane, or inline, where everybody can read it.
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import PurePosixPath

from pydantic import Field

from kuma.resources.spec import SpecModel
from kuma.resources.violation import Violation, join_path


class SourceType(StrEnum):
    FILE = "File"
    SECRET = "Secret"  # noqa: S105 - a kind of source
    ENV_VAR = "EnvVar"
    INSECURE_INLINE = "InsecureInline"


class File(SpecModel):
    path: str
    """Absolute path of a file that the control plane can read."""


class EnvVar(SpecModel):
    name: str
    """Name of an environment variable of the control plane."""


class InsecureInline(SpecModel):
    value: str = Field(repr=False)
    """The content itself. Whoever may read the resource reads it."""


class RefKind(StrEnum):
    SECRET = "Secret"  # noqa: S105 - a kind of resource


class SecretRef(SpecModel):
    kind: RefKind
    """Only a Secret can be referred to."""
    name: str
    """Name of a Secret of the same mesh."""


class SecureDataSource(SpecModel):
    """The part that `type` names is set."""

    type: SourceType
    """Where the content is."""
    file: File | None = None
    """With type File."""
    env_var: EnvVar | None = None
    """With type EnvVar."""
    insecure_inline: InsecureInline | None = None
    """With type InsecureInline."""
    secret_ref: SecretRef | None = None
    """With type Secret."""


def validate_source(source: SecureDataSource, path: str) -> Iterator[Violation]:
    name, key, held = {
        SourceType.FILE: ("file", "path", source.file and source.file.path),
        SourceType.SECRET: ("secretRef", "name", source.secret_ref and source.secret_ref.name),
        SourceType.ENV_VAR: ("envVar", "name", source.env_var and source.env_var.name),
        SourceType.INSECURE_INLINE: (
            "insecureInline",
            "value",
            source.insecure_inline and source.insecure_inline.value,
        ),
    }[source.type]
    at = join_path(path, name)
    if held is None:
        yield Violation(at, "must be defined")
    elif not held:
        yield Violation(join_path(at, key), "must be defined")
    elif source.type is SourceType.FILE:
        for message in _path_errors(held):
            yield Violation(join_path(at, key), message)


def _path_errors(path: str) -> Iterator[str]:
    parts = PurePosixPath(path)
    if ".." in parts.parts:
        yield f"file path contains directory traversal sequence: {path}"
    if not parts.is_absolute():
        yield f"file path must be absolute: {path}"
