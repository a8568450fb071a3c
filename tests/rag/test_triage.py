import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.triage import lane, rank
from store.sections.core import Council

COUNCIL = Council(triage_bar=0.6, immediate_bar=0.85)


@pytest.mark.parametrize(
    ("severity", "expected"),
    [(0.0, "filed"), (0.599, "filed"), (0.6, "batch"), (0.849, "batch"), (0.85, "immediate"), (1.0, "immediate")],
)
def test_bars_belong_to_the_higher_lane(severity: float, expected: str) -> None:
    assert lane(severity, COUNCIL) == expected


def test_a_severity_that_is_not_a_number_is_never_filed() -> None:
    assert lane(math.nan, COUNCIL) == "immediate"


@given(st.floats(0, 1), st.floats(0, 1))
def test_more_severe_never_ranks_lower(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert rank(lane(low, COUNCIL)) <= rank(lane(high, COUNCIL))
