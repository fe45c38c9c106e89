"""Which resource, and which rule in it, put a part of a plan there."""

from kuma.kit.value import value


@value
class Origin:
    """`rule` is the index of the entry in to/from/rules; None: the resource as a whole."""

    kind: str
    mesh: str
    name: str
    rule: int | None = None
