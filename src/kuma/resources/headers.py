"""Headers that a policy adds to messages."""

from typing import Annotated

from kuma.resources.match import HeaderName
from kuma.resources.spec import Items, SpecModel


class HeaderKeyValue(SpecModel):
    name: HeaderName
    """Name of the header, in lower case."""
    value: str
    """Its value; several values are separated by commas."""


class HeaderAdditions(SpecModel):
    set: Annotated[tuple[HeaderKeyValue, ...], Items(maximum=16)] | None = None
    """Headers to set, in place of any with the same name."""
    add: Annotated[tuple[HeaderKeyValue, ...], Items(maximum=16)] | None = None
    """Headers to add."""
