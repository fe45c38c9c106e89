"""Derived facts: pure functions of a view, which the view may remember.

    @derived
    def service_protocol(view, service): ...      called as service_protocol(view, "backend")

A plain view computes each time; the pipeline's view remembers the result, records what it read and
computes again only when one of those reads changed. So a derived function must be pure, read the
world only through `view`, take hashable arguments, and return an immutable, comparable value.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V", bound="Derives")


class Derives(Protocol):
    def derive(self, compute: Callable[..., Any], args: tuple[Any, ...], /) -> Any:
        """The value of `compute(self, *args)`, remembered or computed."""


def derived(compute: Callable[Concatenate[V, P], R]) -> Callable[Concatenate[V, P], R]:
    @wraps(compute)
    def ask(view: V, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if kwargs:
            msg = f"{compute.__name__} takes positional arguments only"
            raise TypeError(msg)
        return cast("R", view.derive(compute, args))

    return ask


@derived
def shared(view: Derives, value: Any) -> Any:
    """The first of all values that equal this one, for as long as somebody uses it. What many derive
    alike is then held once, and compared by a glance."""
    return value
