"""What a store raises besides the tree in `resources/errors.py`.

Unavailable
└── CannotOpen  give up: trying again is no use until a person has acted
"""

from kuma.resources.errors import Unavailable


class CannotOpen(Unavailable):
    """The database is not usable as it is; `reason` says why and what to do about it."""
