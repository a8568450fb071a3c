"""A new checkpoint for detect, built from the last days of bronze: shards and window sizes may then change.

Anomalies and episodes found again keep their ids, so they change nothing; metrics of rows that were counted before are not added.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from jobs import checkpoint, startup
from jobs.errors import RebuildTooEarly
from jobs.fence import fenced
from store.database import Database, open_database, url
from store.settings import Settings

START = "start.json"


@dataclass(frozen=True)
class Start:
    """Where a checkpoint begins in bronze; rows up to `metrics_after_row` are folded but not counted in metrics again."""

    version: int = 0
    metrics_after_row: int = -1
    rows: int = 0  # of bronze from there on, as far as its log tells: how long it will take


FROM_THE_FIRST = Start()


def set_aside(settings: Settings, days: float, now: datetime | None = None) -> str | None:
    """Move detect's checkpoint away and write down where the new one begins; the old one's new place, None when there was none.

    Raises NotReady when nothing could run here, JobRunning while detect runs, RebuildTooEarly when its last batch ended inside
    a bronze version. What the settings say of shards and windows may be anything: the new checkpoint has them from the start.
    """
    from jobs.session import session

    startup.require(settings)
    place, moment = settings.checkpoint("detect"), now or datetime.now(UTC)
    with fenced(url(settings), place), open_database(settings) as database:
        spark = session(settings, "conclave rebuild")
        try:
            if checkpoint.read_text(spark, f"{place}/metadata") is None:
                return None
            version, rows = since(spark, settings.bronze, moment - timedelta(days=days))
            start = Start(version, counted_row(spark, database, place), rows)
            aside = f"{place}-{moment:%Y%m%dT%H%M%S}"
            checkpoint.move(spark, place, aside)
            checkpoint.write_text(spark, f"{place}/{START}", json.dumps(asdict(start)))
            return aside
        finally:
            spark.stop()


def start_of(spark: SparkSession, place: str) -> Start:
    text = checkpoint.read_text(spark, f"{place}/{START}")
    return Start(**json.loads(text)) if text is not None else Start()


def counted_row(spark: SparkSession, database: Database, place: str) -> int:
    """The newest bronze row in the metrics: of any earlier checkpoint, or of this one's batches."""
    rows = database.fetch("newest_folded", query_id=checkpoint.query_id(spark, place))
    before = start_of(spark, place).metrics_after_row
    if not rows:
        return before
    ends: list[dict[str, Any]] = rows[0]["offsets"]["ends"]
    if any(end.get("index", -1) >= 0 for end in ends):
        raise RebuildTooEarly
    return max(before, int(rows[0]["newest_row"]))


def since(spark: SparkSession, bronze: str, moment: datetime) -> tuple[int, int]:
    """The first bronze version at or after a time that is still in the log, and how many rows were written from there on."""
    from delta.tables import DeltaTable

    history = (
        DeltaTable.forPath(spark, bronze).history().select("version", "timestamp", "operation", "operationMetrics").collect()
    )
    versions = sorted(row["version"] for row in history if row["timestamp"].astimezone(UTC) >= moment)
    first = int(versions[0] if versions else max(row["version"] for row in history))
    written = [row for row in history if row["version"] >= first and row["operation"] in ("WRITE", "STREAMING UPDATE")]
    return first, sum(int((row["operationMetrics"] or {}).get("numOutputRows", 0)) for row in written)


def begun(settings: Settings) -> Start | None:
    """Where the checkpoint that is there now began, when it lies on this machine's disk and was rebuilt."""
    file = Path(settings.checkpoint("detect")) / START
    return Start(**json.loads(file.read_text())) if "://" not in str(file) and file.is_file() else None
