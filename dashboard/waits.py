"""What waits for each stream, in words: the true number where it is known, else what Spark says of its source."""

import re
from typing import Any

from dashboard import words

Row = dict[str, Any]


def waiting(row: Row) -> str:
    """What waits for a job as a true number; empty when only Spark's own words are to be had."""
    if row.get("waiting") is None:
        return ""
    oldest = f", the oldest for {words.age(row['oldest_s'])}" if row["waiting"] and row["oldest_s"] else ""
    return f"{row['waiting']:,} {row['unit']} wait{oldest}"


def lag(given: dict[str, Any]) -> str:
    """What each source says of how far behind it is; Spark says class and address, people folder or topic."""
    return "; ".join(f"{_source(name)}: {_behind(metrics)}" for name, metrics in given.items()) or "no source has reported"


def _source(name: str) -> str:
    """`DeltaSource[file:/a/b/bronze]` is bronze."""
    return name.rpartition("[")[2].rstrip("/]").rpartition("/")[2] or name


def _behind(metrics: dict[str, Any]) -> str:
    """`numFilesOutstanding: 3` is 3 files outstanding."""
    said = [
        f"{words.count(float(value))} {_spaced(name.removeprefix('num'))}" for name, value in metrics.items() if value is not None
    ]
    return ", ".join(said) or "does not say"


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").lower()
