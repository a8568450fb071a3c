"""Many accounts in a bronze of their own: filled as ingest would fill it, one commit of two files per micro-batch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs import bronze
from store import embedded
from store.settings import Settings

START_US = 1_700_000_000_000_000
STEP_US = 1_000  # between two rows
COLUMNS = (
    "concat('e', id) as event_id",
    f"timestamp_micros({START_US} + id * {STEP_US}) as event_time",
    "'transaction' as kind",
    "exp(3 + randn(7) * 0.5) * if(pmod(xxhash64(id, 2), 5000) = 0, 40, 1) as amount",
    "'main' as tenant",
    "'bench' as source",
    "id as position",
    "id as row_id",
    "current_timestamp() as ingest_time",
)


@dataclass
class Crowd:
    """`accounts` accounts have had `rows` events; the next event is row number `rows`."""

    spark: Any
    settings: Settings
    accounts: int = 0
    rows: int = 0
    commits: int = 0

    def __post_init__(self) -> None:
        bronze.create(self.spark, self.settings.bronze, self.settings.quarantine)

    def grow(self, accounts: int, points: int, batch: int) -> None:
        """Add accounts until there are so many, each with one event and `points` on average, in batches of `batch`."""
        new, first, begin = accounts - self.accounts, self.accounts, self.rows
        account = f"if(id - {begin} < {new}, id - {begin}, pmod(xxhash64(id, 1), {new})) + {first}"
        end = begin + new * points
        while self.rows < end:
            self._write(account, min(batch, end - self.rows))
        self.accounts = accounts

    def visit(self, batches: int, events: int) -> None:
        """Batches of events of accounts drawn at random among all."""
        for _ in range(batches):
            self._write(f"pmod(xxhash64(id, 5), {self.accounts})", events)

    def _write(self, account: str, events: int) -> None:
        rows = self.spark.range(self.rows, self.rows + events, 1, 2)
        chosen = rows.selectExpr(*COLUMNS, f"concat('A', {account}) as account_id", f"{self.commits}L as ingest_batch")
        chosen.write.format("delta").mode("append").save(self.settings.bronze)
        self.rows += events
        self.commits += 1


def postgres_pid(home: Path) -> list[int]:
    """The embedded server's process, when it runs."""
    place = home / "postgres" / "place"
    pid = embedded.pid(Path(place.read_text().strip())) if place.exists() else None
    return [] if pid is None else [pid]
