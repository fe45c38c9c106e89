"""What can go wrong with identities. The class says what the caller should do.

IdentityError
├── BadKeyPair    tell the user: a certificate and key that cannot be used, and why
├── NoIdentity    tell the user: a proxy that says nothing from which to derive who it is
├── NoSigningKey  tell the user: tokens cannot be issued, the named secret is missing
└── TokenRefused  tell the bearer: this token does not prove what it should (HTTP 401)

None of the messages contains key material or a token.
"""


class IdentityError(Exception):
    """Root of the tree above. The text is one sentence for people."""


class BadKeyPair(IdentityError):
    pass


class NoIdentity(IdentityError):
    pass


class NoSigningKey(IdentityError):
    pass


class TokenRefused(IdentityError):
    pass
