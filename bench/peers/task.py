"""What a peer is given and what it gives back: the same Parquet files, and a report of what it flagged and how long it took."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from bench.peers.rule import encode

COLUMNS = ["row_id", "account_id", "amount"]
Chunk = tuple[list[int], list[str], list[int]]  # rows, accounts, codes


@dataclass(frozen=True)
class Task:
    """`parts[p][b]` is the file of batch b that holds part p of the accounts, its events in order."""

    parts: list[list[str]]
    out: str
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def given(cls) -> "Task":
        """The one named on the command line."""
        return cls(**json.loads(Path(sys.argv[1]).read_text()))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))


@dataclass
class Report:
    """When each batch began to be read and how many events it has; which rows were flagged; when the last result was out."""

    began: dict[int, float] = field(default_factory=dict)
    events: dict[int, int] = field(default_factory=dict)
    flagged: list[int] = field(default_factory=list)
    ended: float = 0.0
    note: str = ""

    def reading(self, batch: int, events: int) -> None:
        self.began.setdefault(batch, time.time())
        self.events[batch] = self.events.get(batch, 0) + events

    def done(self, path: str) -> None:
        """Everything is out now."""
        self.ended = time.time()
        Path(path).write_text(json.dumps(asdict(self)))


def chunks(files: list[str], size: int, report: Report) -> Iterator[Chunk]:
    """Whole columns of so many rows, in order; codes are made for the whole column at once, as anyone with numpy would."""
    for number, name in enumerate(files):
        for batch in pq.ParquetFile(name).iter_batches(batch_size=size, columns=COLUMNS):
            report.reading(number, batch.num_rows)
            rows, accounts, amounts = batch.columns
            yield rows.to_pylist(), accounts.to_pylist(), encode(amounts.to_numpy()).tolist()
