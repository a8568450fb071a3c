"""What the streaming jobs count: each committed batch once, read from the ledger, so that a retry counts nothing twice."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from observe.telemetry import catalogue
from store.database import Database
from store.errors import DatabaseError

EVENTS = {
    "ingest": {"accepted": "accepted", "quarantined": "quarantined"},
    "detect": {"events": "folded", "late": "late", "duplicates": "duplicate", "conflicts": "conflict", "unwatched": "unwatched"},
}
SPARKS = {"triggerExecution": "trigger", "queryPlanning": "plan", "addBatch": "write"}
TOGETHER = {"source": ("latestOffset", "getBatch"), "log": ("walCommit", "commitOffsets", "commitBatch")}
NEWEST = 50  # batches whose largest state is shown: a small batch visits few shards


class Counted:
    """The batches of one checkpoint that this process has counted; the first look only says where to begin."""

    def __init__(self, job: str, query_id: str) -> None:
        self.job, self.query_id = job, query_id
        self.told: datetime | None = None  # the newest report by Spark that was counted
        self._after: int | None = None
        self._before_sink: dict[int, float] = {}  # batch → seconds from its start to its transaction
        self._states: deque[tuple[int, int]] = deque(maxlen=NEWEST)

    def look(self, database: Database) -> int:
        """Count what was committed since; how many batches. A database that is away is asked again next time."""
        try:
            if self._after is None:
                self._after = database.fetch("newest_batch", job=self.job, query_id=self.query_id)[0]["batch_id"]
                return 0
            rows = database.fetch("batches_after", job=self.job, query_id=self.query_id, after=self._after)
        except DatabaseError as error:
            catalogue.failed(self.job, error)
            return 0
        for row in rows:
            self.count(row)
            self._after = row["batch_id"]
        return len(rows)

    def count(self, row: Mapping[str, Any]) -> None:
        job = self.job
        catalogue.BATCHES.labels(job).inc()
        for column, outcome in EVENTS[job].items():
            catalogue.EVENTS.labels(job, outcome).inc(row[column])
        for stage, seconds in stages(row["detail"]).items():
            catalogue.BATCH_SECONDS.labels(job, stage).observe(seconds)
        self._before_sink = {number: took for number, took in self._before_sink.items() if number > row["batch_id"] - NEWEST}
        self._before_sink[row["batch_id"]] = row["batch_s"]
        if job == "detect":
            self._folded(row)

    def sunk(self, batch_id: int, duration_ms: Mapping[str, int]) -> None:
        """The transaction's time: of Spark's `addBatch`, which is our whole hook, what is left after its beginning."""
        before = self._before_sink.pop(batch_id, None)
        if before is not None and "addBatch" in duration_ms:
            sink_s = max(duration_ms["addBatch"] / 1000 - before, 0.0)
            catalogue.BATCH_SECONDS.labels(self.job, "sink").observe(sink_s)

    def _folded(self, row: Mapping[str, Any]) -> None:
        catalogue.ANOMALIES.labels("detect").inc(row["anomalies"])
        catalogue.EPISODES.labels("detect").inc(row["episodes"])
        catalogue.EVICTED.labels("idle").inc(row["evicted_idle"])
        catalogue.EVICTED.labels("cap").inc(row["evicted_cap"])
        self._states.append((row["entities"], row["state_bytes"]))
        catalogue.STATE_ENTITIES.labels("detect").set(max(entities for entities, _ in self._states))
        catalogue.STATE_BYTES.labels("detect").set(max(size for _, size in self._states))


COUNTED: dict[tuple[str, str], Counted] = {}  # (job, query id): what this process has counted


def begin(job: str, query_id: str, database: Database) -> None:
    """Count this checkpoint's batches from its next one on; to be said before the first ends. Saying it again changes nothing."""
    if (job, query_id) not in COUNTED:
        COUNTED[job, query_id] = counted = Counted(job, query_id)
        counted.look(database)


def look(job: str, progress: Mapping[str, Any], database: Database) -> None:
    """Spark reported a batch of this process (a row of `stream_progress`): count it, and what a lost look has left."""
    counted = COUNTED.setdefault((job, progress["query_id"]), Counted(job, progress["query_id"]))
    counted.look(database)
    if progress["input_rows"] and (counted.told is None or progress["at"] > counted.told):
        counted.told = progress["at"]
        reported(job, progress["duration_ms"], progress["lag"])
        counted.sunk(progress["batch_id"], progress["duration_ms"])


def stages(detail: Mapping[str, Any]) -> dict[str, float]:
    """Seconds by stage, as the ledger's detail names them.

    >>> stages({"fold_s": 1.5, "rules_s": None, "processors": "a1"})
    {'fold': 1.5}
    """
    return {name[:-2]: float(value) for name, value in detail.items()
            if name.endswith("_s") and isinstance(value, int | float) and not isinstance(value, bool)}  # fmt: skip


def reported(job: str, duration_ms: Mapping[str, int], sources: Mapping[str, Mapping[str, Any]]) -> None:
    """Spark's report of a batch: its own durations, and how far the source says that it is ahead."""
    for name, stage in SPARKS.items():
        if name in duration_ms:
            catalogue.BATCH_SECONDS.labels(job, stage).observe(duration_ms[name] / 1000)
    for stage, names in TOGETHER.items():
        if any(name in duration_ms for name in names):
            catalogue.BATCH_SECONDS.labels(job, stage).observe(sum(duration_ms.get(name, 0) for name in names) / 1000)
    behind = [one[name] for one in sources.values() for name in ("maxOffsetsBehindLatest", "numFilesOutstanding") if name in one]
    if behind:
        catalogue.LAG_OFFSETS.labels(job).set(max(float(one) for one in behind))
