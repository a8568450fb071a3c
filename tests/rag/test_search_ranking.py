"""BM25 against its formula, and the laws of fusion and order."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ranking import K1, B, WordIndex, best, fused, scaled, words

FLOATS = st.floats(-1e6, 1e6)
LISTS = st.lists(FLOATS, max_size=12).map(lambda values: np.array(values, dtype=np.float64))


def bm25_by_hand(texts: list[str], query: str) -> list[float]:
    tokens = [words(text) for text in texts]
    mean = sum(map(len, tokens)) / len(tokens)
    scores = []
    for document in tokens:
        score = 0.0
        for word in words(query):
            n = sum(word in other for other in tokens)
            tf = document.count(word)
            if n:
                idf = math.log1p((len(tokens) - n + 0.5) / (n + 0.5))
                score += idf * tf / (tf + K1 * (1 - B + B * len(document) / mean))
        scores.append(score)
    return scores


def test_bm25_is_the_formula() -> None:
    texts = ["a disk is full of logs", "the pool is exhausted; the pool waits", "full of payments", "", "logs, logs and logs"]
    for query in ("disk full", "pool pool waiting", "logging of logs", "nothing known", ""):
        assert np.allclose(WordIndex(texts).scores(query), bm25_by_hand(texts, query), atol=1e-5)


def test_words_are_stemmed_split_and_without_stop_words() -> None:
    assert words("Timeouts of the Payments") == words("payment timeout")[::-1]
    assert words("KubeDiskFull") == ["kubediskful", "kube", "disk", "full"]
    assert words("connection_pool, HTTP 503!") == ["connect", "pool", "http", "503"]
    assert words("what is the") == []


def test_an_index_of_nothing_answers_nothing() -> None:
    for texts in ([], [""], ["the of"]):
        assert WordIndex(texts).scores("disk").tolist() == [0.0] * len(texts)


def test_a_rare_word_weighs_more_and_an_unknown_one_most() -> None:
    index = WordIndex(["disk full", "disk slow", "disk lost"])
    assert index.weight("disk") < index.weight("full") < index.weight("gnu")


@settings(deadline=None)
@given(LISTS)
def test_scaled_keeps_order_and_lies_between_0_and_1(scores: np.ndarray) -> None:
    done = scaled(scores)
    assert len(done) == len(scores)
    assert np.all((done >= 0) & (done <= 1))
    order = np.argsort(scores, kind="stable")
    assert np.all(np.diff(done[order]) >= 0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 50), st.floats(-1, 1)), min_size=1, max_size=12))
def test_the_best_in_both_is_the_best_fused(pairs: list[tuple[float, float]]) -> None:
    bm25, cosine = np.array([a for a, _ in pairs] + [51.0]), np.array([c for _, c in pairs] + [1.0])
    score = fused(bm25, cosine)
    assert score.argmax() == len(pairs)
    assert np.all((score >= 0) & (score <= 1 + 1e-12))


def test_fused_is_four_parts_words_and_one_part_meaning() -> None:
    assert fused(np.array([10.0, 5.0, 0.0]), np.array([0.1, 0.3, 0.5])).tolist() == pytest.approx([0.8, 0.5, 0.2])


def test_without_a_known_word_the_cosine_decides() -> None:
    assert fused(np.zeros(3), np.array([0.1, 0.9, 0.3])).argmax() == 1
    assert fused(np.array([2.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])).argmax() == 0


def test_only_the_hundred_best_share_the_scale() -> None:
    scores = np.array([float(i) for i in range(300)])
    assert scaled(scores)[:200].max() == 0
    assert scaled(scores)[-1] == 1


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), max_size=8), st.integers(-1, 10))
def test_equal_scores_are_ordered_by_name(scores: list[float], k: int) -> None:
    names = [f"n{(i * 7) % 8}" for i in range(len(scores))]
    chosen = best(np.array(scores), k, names)
    keys = [(-scores[i], names[i]) for i in chosen]
    assert keys == sorted((-s, n) for s, n in zip(scores, names, strict=True))[: max(k, 0)]
