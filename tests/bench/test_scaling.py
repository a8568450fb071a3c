"""docs/scaling.md is what the measured figures come to, and the arithmetic does what it says."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import scaling

LOAD, FIGURES = scaling.read()
VALUES = {name: float(one["value"]) for name, one in FIGURES.items()}


def test_the_examples_hold() -> None:
    assert doctest.testmod(scaling).failed == 0


def test_the_page_is_what_the_figures_come_to() -> None:
    held = scaling.PAGE.read_text(encoding="utf-8")
    assert scaling.filled(held, scaling.tables(LOAD, FIGURES)) == held, "run python -m bench.scaling --write"


def test_a_page_without_a_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="needs"):
        scaling.filled("# Scaling", {"needs": "x"})


@given(st.floats(1, 2_000), st.floats(1.01, 10))
def test_more_load_never_takes_less(factor: float, more: float) -> None:
    less, greater = (scaling.need(LOAD.times(by), VALUES) for by in (factor, factor * more))
    assert all(getattr(less, field) <= getattr(greater, field) for _, field, _ in scaling.ROWS)


@given(st.floats(0.1, 1e5))
def test_rows_are_never_more_than_points_and_fewer_the_longer_they_are_gathered(every_s: float) -> None:
    assert LOAD.rows_per_s(every_s) <= 2 * LOAD.events_per_s * 1.000001
    assert LOAD.rows_per_s(2 * every_s) <= LOAD.rows_per_s(every_s) * 1.000001


def test_what_breaks_first_is_at_its_bound_there() -> None:
    for what, factor in scaling.breaks(LOAD, VALUES):
        if what == "one Postgres writes every batch's rows":
            assert scaling.need(LOAD.times(factor), VALUES).writers == pytest.approx(1)
            return
    raise AssertionError("it is not among them")


def test_every_figure_is_used_and_says_where_it_is_from() -> None:
    held = scaling.need(LOAD.times(1_000), VALUES)
    for name, one in FIGURES.items():
        changed = [scaling.need(LOAD.times(1_000), VALUES | {name: VALUES[name] * by}) for by in (0.01, 100)]
        assert any(other != held for other in changed), name
        assert one["by"]
