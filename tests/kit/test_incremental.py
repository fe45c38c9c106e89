"""The engine equals recomputation from scratch, recomputes little, and forgets what is unused."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuma.kit.incremental import Cycle, Engine


class Sheet:
    """A spreadsheet: formula cells add or choose among other cells, so reads vary with values."""

    def __init__(self, engine: Engine, formulas: list[tuple[str, tuple[int, ...]]]) -> None:
        self.engine = engine
        self.formulas = formulas

    def cell(self, index: int) -> int:
        kind, refs = self.formulas[index]
        values: Callable[[int], int] = lambda ref: self.ask(ref, index)  # noqa: E731
        if kind == "sum":
            return sum(values(ref) for ref in refs)
        if kind == "parity":
            return sum(values(ref) for ref in refs) % 2
        return values(refs[1]) if values(refs[0]) % 2 and len(refs) > 1 else 7

    def ask(self, ref: int, asker: int) -> int:
        if ref < 0 or ref >= asker:
            return self.engine.read(("input", ref)) or 0
        return self.engine.query(Sheet.cell, self, ref)


def from_scratch(inputs: dict[int, int], formulas: list[tuple[str, tuple[int, ...]]]) -> list[int]:
    results: list[int] = []
    for index, (kind, refs) in enumerate(formulas):
        values = [results[r] if 0 <= r < index else inputs.get(r, 0) for r in refs]
        if kind == "sum":
            results.append(sum(values))
        elif kind == "parity":
            results.append(sum(values) % 2)
        else:
            results.append(values[1] if values[0] % 2 and len(values) > 1 else 7)
    return results


formulas_ = st.lists(
    st.tuples(
        st.sampled_from(["sum", "parity", "choose"]),
        st.lists(st.integers(-4, 9), min_size=1, max_size=4).map(tuple),
    ),
    min_size=1,
    max_size=10,
)
edits_ = st.lists(
    st.lists(st.tuples(st.integers(-4, 9), st.integers(0, 3)), max_size=3), max_size=20
)


@given(formulas_, edits_, st.booleans(), st.integers(0, 3), st.integers(0, 3))
def test_results_equal_those_computed_from_scratch(
    formulas, edits, collect, at_once, portions
) -> None:
    """However little is marked at once, and wherever between the portions somebody reads."""
    engine, inputs = Engine(at_once=at_once), {}
    sheet = Sheet(engine, formulas)
    told: set[int] = set()
    watched = {
        index: engine.observe(lambda i=index: told.add(i), Sheet.cell, sheet, index)
        for index in range(len(formulas))
    }
    assert [o.value() for o in watched.values()] == from_scratch(inputs, formulas)
    for edit in edits:
        before = from_scratch(inputs, formulas)
        for ref, number in edit:
            inputs[ref] = number
            engine.set(("input", ref), number)
            if collect:
                engine.collect()
        after = from_scratch(inputs, formulas)
        for _ in range(portions):
            engine.mark(1)
        assert [o.value() for o in watched.values()] == after
        assert {i for i, old in enumerate(before) if old != after[i]} <= told
        told.clear()


def double(engine: Engine, key: str) -> int:
    return 2 * (engine.read(key) or 0)


def parity(engine: Engine, key: str) -> int:
    return engine.query(double, engine, key) % 4


def describe(engine: Engine, key: str) -> str:
    return f"parity {engine.query(parity, engine, key)}"


def test_an_equal_result_stops_the_change() -> None:
    engine = Engine()
    engine.set("a", 1)
    observed = engine.observe(lambda: None, describe, engine, "a")
    first = observed.value()
    engine.computations = 0

    engine.set("a", 3)

    assert observed.value() is first
    assert engine.computations == 2  # double and parity, not describe


def test_an_equal_input_tells_nobody() -> None:
    engine, told = Engine(), []
    engine.set("a", (1, 2))
    observed = engine.observe(lambda: told.append("stale"), double_len, engine)
    observed.value()

    engine.set("a", (1, 2))

    assert told == []


def double_len(engine: Engine) -> int:
    return 2 * len(engine.read("a"))


def test_an_observer_is_told_once_until_it_reads() -> None:
    engine, told = Engine(), []
    observed = engine.observe(lambda: told.append("stale"), double, engine, "a")
    observed.value()

    engine.set("a", 1)
    engine.set("a", 2)

    assert told == ["stale"]
    assert observed.value() == 4
    engine.set("a", 3)
    assert told == ["stale", "stale"]


def test_many_are_told_in_portions_and_nobody_reads_before_all_are() -> None:
    engine, told, behind = Engine(at_once=2), [], []
    engine.when_behind(lambda: behind.append("behind"))
    watched = [engine.observe(lambda i=i: told.append(i), multiple, engine, i) for i in range(1, 8)]
    assert [each.value() for each in watched] == [0] * 7

    engine.set("a", 1)
    assert (len(told), behind) == (2, ["behind"])
    assert engine.mark(3)
    assert len(told) == 5

    assert engine.query(multiple, engine, 5) == 5
    assert sorted(told) == [1, 2, 3, 4, 5, 6, 7]
    assert not engine.mark(3)
    assert [each.value() for each in watched] == [1, 2, 3, 4, 5, 6, 7]


def multiple(engine: Engine, by: int) -> int:
    return by * (engine.read("a") or 0)


def test_unrelated_inputs_compute_nothing() -> None:
    engine = Engine()
    observed = engine.observe(lambda: None, double, engine, "a")
    observed.value()
    engine.computations = 0

    for number in range(100):
        engine.set(("other", number), number)
    observed.value()

    assert engine.computations == 0


def test_results_that_nobody_holds_are_forgotten() -> None:
    engine = Engine()
    observed = engine.observe(lambda: None, describe, engine, "a")
    observed.value()
    assert len(engine) == 3

    observed.close()
    engine.collect()

    assert len(engine) == 0


def test_what_nobody_holds_can_be_forgotten_in_portions() -> None:
    engine = Engine()
    observed = engine.observe(lambda: None, describe, engine, "a")
    observed.value()
    observed.close()

    held = []
    while engine.collect(at_most=1):
        held.append(len(engine))

    assert held == sorted(held, reverse=True)
    assert held[0] == 2
    assert len(engine) == 0


def raise_on_odd(engine: Engine) -> int:
    number: int = engine.read("a")
    if number % 2:
        raise ValueError(number)
    return number


def test_a_failure_is_remembered_until_a_read_changes() -> None:
    engine = Engine()
    engine.set("a", 1)
    for _ in range(2):
        with pytest.raises(ValueError, match="1"):
            engine.query(raise_on_odd, engine)
    assert engine.computations == 1

    engine.set("a", 2)

    assert engine.query(raise_on_odd, engine) == 2


def test_a_query_that_needs_itself_is_a_cycle() -> None:
    engine = Engine()

    def loop(depth: Any) -> Any:
        return engine.query(loop, depth)

    with pytest.raises(Cycle):
        engine.query(loop, 1)


def test_a_result_is_current_until_something_that_it_read_changes() -> None:
    engine = Engine()
    assert not engine.is_current(double, engine, "a")
    engine.query(double, engine, "a")
    assert engine.is_current(double, engine, "a")

    engine.set("a", 1)

    assert not engine.is_current(double, engine, "a")
