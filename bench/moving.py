"""`detect --rebuild` into another number of shards: how long it takes, and whether what follows is the same.

Two homes get the same bronze. One folds all of it with its first number of shards; the other folds the first part, is
rebuilt into another number of shards, and folds the rest.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.crowd import Crowd
from jobs import detect, rebuild
from jobs.session import session
from store import embedded
from store.database import open_database
from store.settings import Settings, read

COMPARED = ("digest_anomalies", "digest_episodes", "digest_hours")


@dataclass(frozen=True)
class Move:
    """`accounts` with so many points each, folded under the first number of shards, then `later` more events under the other."""

    accounts: int = 20_000
    points: int = 30
    later: int = 200_000
    batch: int = 100_000
    shards: tuple[int, int] = (64, 96)
    memory: str = "2g"  # of the JVM, which is the process's only one


def measure(say: Callable[[str], None], move: Move) -> dict[str, Any]:
    """Seconds of each part, and whether the tables of both homes are equal."""
    say(f"rebuilding {move.accounts:,} accounts from {move.shards[0]} into {move.shards[1]} shards")
    with tempfile.TemporaryDirectory(prefix="conclave-bench-") as folder:
        straight, moved = (_settings(Path(folder) / name, move.shards[0], move.memory) for name in ("straight", "moved"))
        try:
            _fold(straight, lambda crowd: _first(crowd, move), lambda crowd: _later(crowd, move))
            first_s = _fold(moved, lambda crowd: _first(crowd, move))
            other, began = _settings(moved.home, move.shards[1], move.memory), time.perf_counter()
            rebuild.set_aside(other, days=30)
            aside_s = time.perf_counter() - began
            again_s = _fold(other)
            later_s = _fold(other, lambda crowd: _later(crowd, move))
            found = [_digests(one) for one in (straight, other)]
        finally:
            for one in (straight, moved):
                embedded.remove(one.home)
    seconds = {"first_fold_s": first_s, "set_aside_s": aside_s, "fold_again_s": again_s, "later_fold_s": later_s}
    return {
        "shards": list(move.shards), "accounts": move.accounts, "events": move.accounts * move.points, "later": move.later,
        **{name: round(value, 1) for name, value in seconds.items()},
        "rows": {name: digest["rows"] for name, digest in found[0].items()}, "equal": found[0] == found[1],
    }  # fmt: skip


def _settings(home: Path, shards: int, memory: str) -> Settings:
    detect_settings = {"shards": shards, "max_files_per_trigger": 2, "trigger_s": 0}
    return read(home=home, detect=detect_settings, spark={"shuffle_partitions": 2, "driver_memory": memory})


def _first(crowd: Crowd, move: Move) -> None:
    crowd.grow(move.accounts, move.points, move.batch)


def _later(crowd: Crowd, move: Move) -> None:
    crowd.accounts, crowd.rows = move.accounts, move.accounts * move.points
    crowd.visit(-(-move.later // move.batch), move.batch)


def _fold(settings: Settings, *fill: Callable[[Crowd], None]) -> float:
    """Fill bronze, then fold all that is new in a session of its own, as a command does; seconds of the folding."""
    spark = session(settings, "conclave bench rebuild")
    try:
        crowd = Crowd(spark, settings)
        for one in fill:
            one(crowd)
        began = time.perf_counter()
        with open_database(settings) as database:
            query = detect.start(spark, settings, database, once=True)
            query.awaitTermination()
            if query.exception() is not None:
                raise SystemExit(str(query.exception())[:2000])
        return time.perf_counter() - began
    finally:
        spark.stop()


def _digests(settings: Settings) -> dict[str, dict[str, Any]]:
    with open_database(settings) as database:
        return {name: database.fetch(name)[0] for name in COMPARED}
