"""Bytewax on two processes: one keyed stateful step, batches in and out, accounts shared out by Bytewax itself.

Each process reads the files of one half of the accounts, as a partition of a Kafka topic keyed by account would come to it.
With recovery, the windows that changed and the place in the input are written down each second.
"""

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import cluster_main

from bench.peers.rule import Window
from bench.peers.task import Chunk, Report, Task, chunks

CHUNK = 100_000  # of 5,000, 20,000 and 100,000 the fastest
EPOCH = timedelta(seconds=1)
Item = tuple[str, tuple[int, int]]  # account, (row, code)


class Part(StatefulSourcePartition[Item, int]):
    """One half's files, a chunk at a time; its place is the number of chunks taken."""

    def __init__(self, files: list[str], report: Report, place: int) -> None:
        self.chunks: Iterator[Chunk] = chunks(files, CHUNK, report)
        self.place = 0
        for _ in range(place):
            self.next_batch()

    def next_batch(self) -> list[Item]:
        rows, accounts, codes = next(self.chunks)
        self.place += 1
        return list(zip(accounts, zip(rows, codes, strict=True), strict=True))

    def snapshot(self) -> int:
        return self.place


class Files(FixedPartitionedSource[Item, int]):
    def __init__(self, files: list[str], name: str, report: Report) -> None:
        self.files, self.name, self.report = files, name, report

    def list_parts(self) -> list[str]:
        return [self.name]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> Part:
        return Part(self.files, self.report, resume_state or 0)


class Account(StatefulBatchLogic[tuple[int, int], int, bytes]):
    """One account's window over the points of a batch."""

    def __init__(self, state: bytes | None) -> None:
        self.window = Window() if state is None else Window.restored(state)

    def on_batch(self, values: list[tuple[int, int]]) -> tuple[list[int], bool]:
        flags = self.window.flags
        return [row for row, code in values if flags(code)], False

    def snapshot(self) -> bytes:
        return self.window.snapshot()


class Flagged(StatelessSinkPartition[Any]):
    def __init__(self, report: Report) -> None:
        self.report = report

    def write_batch(self, items: list[Any]) -> None:
        self.report.flagged += [row for _, row in items]


class Sink(DynamicSink[Any]):
    def __init__(self, report: Report) -> None:
        self.report = report

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Flagged:
        return Flagged(self.report)


def flow(files: list[str], name: str, report: Report) -> Dataflow:
    dataflow = Dataflow("peer")
    items = op.input("files", dataflow, Files(files, name, report))
    flagged = op.stateful_batch("window", items, Account)
    op.output("flagged", flagged, Sink(report))
    return dataflow


def main() -> None:
    """`TASK NUMBER`: this process of as many as the task has parts; its addresses are in the options."""
    task, number, report = Task.given(), int(sys.argv[2]), Report()
    recovery = None
    if "recovery" in task.options:
        recovery = RecoveryConfig(task.options["recovery"], backup_interval=timedelta(0))
    cluster_main(
        flow(task.parts[number], str(number), report), task.options["addresses"].split(";"), number,
        epoch_interval=EPOCH if recovery is not None else None, recovery_config=recovery,
    )  # fmt: skip
    report.done(f"{task.out}.{number}")


def prepare(folder: str, parts: int) -> None:
    """An empty recovery store."""
    Path(folder).mkdir()
    init_db_dir(Path(folder), parts)


if __name__ == "__main__":
    if sys.argv[1] == "--prepare":
        prepare(sys.argv[2], int(sys.argv[3]))
    else:
        main()
