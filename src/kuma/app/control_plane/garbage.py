"""When the garbage collector runs in a control plane.

Nearly all of its objects live long and are in no cycle: resources, plans, connections. CPython's
collector looks at all of them whenever a quarter more has come to live, which with 1,000 proxies
takes a third of a second each time, in which no proxy is served. So what is there after the start is
never looked at again, and the rest seldom: reference counts free what is dropped, the young
generations what is dropped in cycles, and the full collection, which takes care of the old ones, comes
after some ten million objects more.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG, MIDDLE, OLD = 2_000, 1, 2_500
"""Objects more than were freed; collections of a generation before one of the next. A collection of
the middle generation looks at some thousand objects, which takes a few milliseconds."""


@contextmanager
def deferred() -> Iterator[None]:
    """Collect nothing while the control plane starts, and nothing of that afterwards."""
    gc.disable()
    try:
        yield
    finally:
        gc.set_threshold(YOUNG, MIDDLE, OLD)
        gc.freeze()
        gc.enable()
