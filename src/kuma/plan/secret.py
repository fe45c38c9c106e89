"""Bytes that must not be seen: they print redacted, and compare and hash by content."""

from kuma.kit.value import value


@value
class SecretBytes:
    reveal: bytes

    def __repr__(self) -> str:
        return "SecretBytes(<redacted>)"

    __str__ = __repr__
