"""Texts to vectors: wordllama's static token embeddings, 256 numbers a text, no network and no GPU.

A text's vector is the mean of its tokens' vectors, scaled to length 1; so the dot product of two is their cosine.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256
MAX_CHARACTERS = 20_000  # of one text; a longer one is embedded by its beginning
EMBEDDER = f"wordllama-l2_supercat-{DIMENSIONS}/{version('wordllama')}"

Vectors = NDArray[np.float32]


def embed(texts: Sequence[str]) -> Vectors:
    """One row per text, shape (n, 256), float32, of length 1; a text without any token gets zeros.

    A row depends on its own text only, bit for bit, whatever else is in the call.
    """
    if not texts:
        return np.zeros((0, DIMENSIONS), dtype=np.float32)
    # One text a batch: a batch is padded to its longest text, and 64 long ones would need gigabytes.
    rows = _model().embed([_valid(text[:MAX_CHARACTERS]) for text in texts], batch_size=1)
    return unit(np.asarray(rows, dtype=np.float32))


def unit(rows: Vectors) -> Vectors:
    """The rows scaled to length 1; a row of zeros stays as it is."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def literal(vector: NDArray[np.float32]) -> str:
    """A vector as pgvector reads it; nine digits carry a float32 exactly."""
    return "[" + ",".join(f"{value:.9g}" for value in vector.tolist()) + "]"


def _valid(text: str) -> str:
    """Without lone surrogates, which the tokenizer refuses."""
    return text.encode("utf-8", "replace").decode()


@cache
def _model() -> Any:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one text a batch; threads would only make later forks complain
    with _quiet_root_logger():
        import wordllama
        from wordllama import WordLlama
    # Plain load() looks for the tokenizer where the wheel does not have it, and then asks the network.
    return WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


@contextmanager
def _quiet_root_logger() -> Iterator[None]:
    """wordllama configures the process's root logger when it is imported; undo that."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
