"""A sentence holds when its marks were offered, its numbers stand there and its words do; otherwise it says what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.support import by_reference, judged, numbers, parted

OFFERED = {
    "f1": "account A12: count = 1,204; total = 3,500.50 EUR; at 02:14 a burst of payments",
    "f2": "the council confirmed it",
}
BAD = [
    ("It made 1,205 payments.", ("f1",), "does not contain 1205"),
    ("It made 1,204 payments.", (), "it cites nothing"),
    ("It made 1,204 payments.", ("f9",), "f9, which was not offered"),
    ("The moon rises over quiet mountains.", ("f1",), "does not say that"),
    ("What happened to A12", ("f1",), "only repeats"),
]


def test_what_its_source_says_is_supported() -> None:
    said = judged("At 02:14 account A12 had a burst: 1204 payments, a total of 3,500.50 EUR.", ("f1",), OFFERED, "")
    assert (said.supported, said.why) == (True, "")


@pytest.mark.parametrize(("text", "cites", "why"), BAD)
def test_what_it_does_not_say_is_marked_with_why(text: str, cites: tuple[str, ...], why: str) -> None:
    said = judged(text, cites, OFFERED, "What happened to A12")
    assert not said.supported
    assert why in said.why


def test_our_own_words_are_held_to_their_numbers_too() -> None:
    assert by_reference("1. account A12: 1,204 payments", ("f1",), OFFERED, "").supported
    assert not by_reference("account A12: 1,299 payments", ("f1",), OFFERED, "").supported


def test_a_line_is_parted_into_sentence_and_marks() -> None:
    assert parted("2. It fell at noon [f1][f2, f3].") == ("It fell at noon.", ("f1", "f2", "f3"))
    assert parted("no marks [here]") == ("no marks [here]", ())


@given(st.integers(0, 10**12))
def test_a_number_with_commas_is_the_number_without(number: int) -> None:
    assert numbers(f"about {number:,} of them") == numbers(f"{number}")


@given(st.text(max_size=200), st.lists(st.sampled_from(["f1", "f2", "f3"]), max_size=3))
def test_nothing_with_a_number_of_its_own_passes(text: str, cites: list[str]) -> None:
    said = judged(f"{text} 987654321", tuple(cites), OFFERED, "")
    assert not said.supported
