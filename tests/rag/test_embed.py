"""Vectors: their shape, their length, and that a text's vector is its own."""

import logging
import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.embed import DIMENSIONS, EMBEDDER, MAX_CHARACTERS, embed, literal, unit

TEXTS = st.lists(st.text(max_size=80), max_size=5)


@settings(deadline=None)
@given(TEXTS)
def test_rows_have_length_one_or_are_zero(texts: list[str]) -> None:
    rows = embed(texts)
    assert rows.shape == (len(texts), DIMENSIONS)
    assert rows.dtype == np.float32
    lengths = np.linalg.norm(rows, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))


@settings(deadline=None)
@given(TEXTS)
def test_a_text_has_the_same_vector_in_any_company(texts: list[str]) -> None:
    together = embed([*texts, "a much longer text that would pad the others " * 5])
    for row, text in zip(together, texts, strict=False):
        assert np.array_equal(row, embed([text])[0])


def test_nearness_means_something() -> None:
    testing, cards, leak = embed(["card testing at a terminal", "stolen card numbers are tried out", "memory leak in a process"])
    assert testing @ cards > testing @ leak + 0.1


def test_the_empty_text_is_zero_and_a_huge_one_is_cut() -> None:
    assert not embed([""]).any()
    assert np.array_equal(embed(["word " * 10_000])[0], embed([("word " * 10_000)[:MAX_CHARACTERS]])[0])
    assert not unit(np.zeros((1, 3), dtype=np.float32)).any()


def test_the_literal_carries_every_bit() -> None:
    row = embed(["bits"])[0]
    again = np.array([float(value) for value in literal(row)[1:-1].split(",")], dtype=np.float32)
    assert np.array_equal(row, again)


def test_the_embedder_names_model_and_version() -> None:
    assert EMBEDDER.startswith("wordllama-l2_supercat-256/0.")


def test_loading_leaves_the_process_logging_alone() -> None:
    script = (
        "import logging; from rag.embed import embed; embed(['x']); root = logging.getLogger(); print(root.handlers, root.level)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == f"[] {logging.WARNING}"
