"""One group per account in applyInPandasWithState: the way that Spark's documentation shows, in the product's own session.

RocksDB state with changelog checkpoints as the product has it, the same Delta files in the same micro-batches, only the columns
that are needed, codes made by Spark, the window as one binary. What is flagged is only collected: no sink has to be durable.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.state import GroupStateTimeout

from bench.peers.rule import LEAST_AMOUNT, NATS, Window

CODE = f"cast(rint(ln(greatest(abs(amount), {LEAST_AMOUNT})) * {NATS}) as int) as code"


def fold(key: Any, chunks: Iterable[pd.DataFrame], held: Any) -> Iterator[pd.DataFrame]:
    """One account's events of a batch, in order."""
    window = Window.restored(held.get[0]) if held.exists else Window()
    points = pd.concat(list(chunks)).sort_values("row_id")
    flagged = [row for row, code in zip(points["row_id"].tolist(), points["code"].tolist(), strict=True) if window.flags(code)]
    held.update((window.snapshot(),))
    if flagged:
        yield pd.DataFrame({"row_id": flagged})


def run(spark: SparkSession, bronze: Path, folder: Path, batches: int) -> tuple[list[dict[str, Any]], list[int]]:
    """Spark's progress of the first so many commits of bronze, one micro-batch each, and the rows flagged in them."""
    flagged: list[int] = []

    def collect(frame: DataFrame, batch_id: int) -> None:
        flagged.extend(row["row_id"] for row in frame.collect())

    shorten(bronze, folder / "bronze", batches)
    events = spark.readStream.format("delta").option("maxFilesPerTrigger", 2).load(str(folder / "bronze"))
    numbers = events.selectExpr("account_id", "row_id", CODE).groupBy("account_id")
    folded = numbers.applyInPandasWithState(fold, "row_id long", "window binary", "append", GroupStateTimeout.NoTimeout)
    stream = folded.writeStream.option("checkpointLocation", str(folder / "checkpoint")).outputMode("append")
    query = stream.trigger(availableNow=True).foreachBatch(collect).start()
    query.awaitTermination()
    return [dict(p) for p in query.recentProgress if p["numInputRows"]], flagged


def shorten(bronze: Path, place: Path, commits: int) -> None:
    """A Delta table of bronze's first commits after the one that made it: the same files by another name."""
    (place / "_delta_log").mkdir(parents=True)
    for version in range(commits + 1):
        name = f"_delta_log/{version:020}.json"
        text = (bronze / name).read_text()
        (place / name).write_text(text)
        for file in added(text):
            os.link(bronze / file, place / file)


def added(commit: str) -> list[str]:
    """Names of the files that a commit of Delta's log added, sorted: by partition of the job that wrote them."""
    actions = [json.loads(line) for line in commit.splitlines()]
    return sorted(action["add"]["path"] for action in actions if "add" in action)
