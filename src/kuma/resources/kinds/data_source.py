"""Where a certificate or key comes from: a Secret, a file of the control plane, or inline."""

from pydantic import model_validator

from kuma.resources.proto_json import Base64, ProtoModel


class DataSource(ProtoModel):
    """At most one field is set."""

    secret: str | None = None
    """Name of a Secret of the same mesh."""
    file: str | None = None
    """Path of a file that the control plane can read."""
    inline: Base64 | None = None
    """The content itself, in base64."""
    inline_string: str | None = None
    """The content itself, as text."""

    @model_validator(mode="after")
    def _only_one(self) -> "DataSource":
        names = ("secret", "file", "inline", "inline_string")
        if sum(getattr(self, name) is not None for name in names) > 1:
            # Differs from Kuma, which takes one of them without saying which.
            msg = "only one of secret, file, inline and inlineString can be set"
            raise ValueError(msg)
        return self

    @property
    def is_empty(self) -> bool:
        return not (self.secret or self.file or self.inline or self.inline_string)
