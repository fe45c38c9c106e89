"""Who is asking. Names and groups are those of Kuma.

Source: Kuma, "Authentication with the API server".
"""

from kuma.kit.value import value

AUTHENTICATED = "mesh-system:authenticated"
UNAUTHENTICATED = "mesh-system:unauthenticated"


@value
class Caller:
    """The user behind a request; `groups` in the order in which they were granted."""

    name: str
    groups: tuple[str, ...] = ()

    def authenticated(self) -> "Caller":
        """The caller as one whose credentials were checked."""
        return Caller(self.name, (*self.groups, AUTHENTICATED))

    def __str__(self) -> str:
        return "/".join(filter(None, (self.name, ",".join(self.groups))))


ADMIN = Caller("mesh-system:admin", ("mesh-system:admin",))
ANONYMOUS = Caller("mesh-system:anonymous", (UNAUTHENTICATED,))
