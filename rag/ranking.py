"""Which texts answer a query best: BM25 over stemmed words, fused with the cosines of vectors. No database here."""

import logging
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

K1 = 1.2  # how soon a repeated word stops counting
B = 0.75  # how much a long text is held against its words
BM25_SHARE = 0.8  # of the fused score; the rest is the cosine's (measured by bench/retrieval.py)
DEPTH = 100  # a side's score is scaled between its best and its DEPTH-th best text

Scores = NDArray[np.float64]

_WORD = re.compile(r"[^\W_]+")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
STOPWORDS = frozenset(
    _WORD.findall(
        """a an and are as at be but by can did do does for from had has have how i if in into is it its me my of on or our
        shall should so than that the their them then there these they this to was we were what when where which who why
        will with would you your"""
    )
)


def words(text: str) -> list[str]:
    """The stemmed words of a text without stop words, in order; `DiskFull` also gives its parts `disk`, `full`."""
    found: list[str] = []
    for word in _WORD.findall(text):
        found.append(word.lower())
        if not (word.islower() or word.isupper() or word.istitle()):
            parts = [part.lower() for part in _PARTS.findall(word)]
            found.extend(part for part in parts if len(part) > 1 and part != word.lower())
    return list(_stemmer().stemWords([word for word in found if word not in STOPWORDS]))


class WordIndex:
    """BM25 (Lucene's variant) over texts that stay as they are; build a new one when they change."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.size = len(texts)
        self.seen_in: dict[str, int] = {}
        tokens = [words(text) for text in texts]
        for document in tokens:
            for word in set(document):
                self.seen_in[word] = self.seen_in.get(word, 0) + 1
        self._index = _bm25s().BM25(k1=K1, b=B, method="lucene") if self.seen_in else None
        if self._index is not None:
            self._index.index(tokens, show_progress=False)

    def scores(self, query: str) -> Scores:
        """BM25 of every text for the query, shape (size,), at least 0."""
        known = [word for word in words(query) if word in self.seen_in]
        if self._index is None or not known:
            return np.zeros(self.size)
        return np.asarray(self._index.get_scores(known), dtype=np.float64)

    def weight(self, word: str) -> float:
        """How rare a stemmed word is: ln(1 + (N - n + ½) / (n + ½)); a word never seen is the rarest."""
        n = self.seen_in.get(word, 0)
        return float(np.log1p((self.size - n + 0.5) / (n + 0.5)))


def scaled(scores: Scores) -> Scores:
    """Scores on 0..1 between the DEPTH-th best and the best; all 0 when nothing tells the texts apart."""
    if not len(scores):
        return scores
    best = np.sort(scores)[::-1][:DEPTH]
    low, high = best[-1], best[0]
    return np.clip((scores - low) / (high - low), 0, 1) if high > low else np.zeros_like(scores)


def fused(bm25: Scores, cosine: Scores) -> Scores:
    """0.8 BM25 + 0.2 cosine, both scaled; where no word of the query is known the cosine speaks alone."""
    if not len(bm25) or bm25.max() <= 0:
        return scaled(cosine)
    return BM25_SHARE * scaled(bm25) + (1 - BM25_SHARE) * scaled(cosine)


def best(scores: Scores, k: int, names: Sequence[str]) -> list[int]:
    """Positions of the k highest scores; equal scores are ordered by name."""
    return sorted(range(len(scores)), key=lambda i: (-scores[i], names[i]))[: max(k, 0)]


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")


@cache
def _bm25s() -> Any:
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it asks for DEBUG when imported
    return bm25s
