"""How far the events have come, shown while the demo works: bars on a terminal, a line now and then elsewhere."""

import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

EVERY_S = 5.0


class Stages:
    """A context manager; `update` takes a row of the query `demo_progress`. `total` is the number of records sent."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._bars: Progress | None = None
        self._said = ("", 0.0)

    def __enter__(self) -> "Stages":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description:<10}"), BarColumn(), TextColumn("{task.fields[words]}"), TimeElapsedColumn())
            self._bars = Progress(*columns, console=Console(stderr=True))
            for stage in ("taken in", "scored", "ruled"):
                self._bars.add_task(stage, total=None, words="")
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def update(self, row: dict[str, Any]) -> None:
        if self._bars is not None:
            for task, (done, total, words) in zip(self._bars.tasks, stages(row, self._total), strict=True):
                self._bars.update(task.id, completed=done, total=total, words=words)
            return
        words, now = ", ".join(words for _, _, words in stages(row, self._total)), time.monotonic()
        if words != self._said[0] and now - self._said[1] >= EVERY_S:
            print(words, file=sys.stderr, flush=True)
            self._said = (words, now)


def stages(row: dict[str, Any], total: int) -> list[tuple[int, int | None, str]]:
    """Of each stage: done, out of how many (None: not known yet), and the words."""
    taken = max(row["bronze"] + row["quarantined"], row["scored"])  # a batch's ledger comes after its events
    cases, heard = row["cases"], row["cases"] - row["open"]
    return [
        (taken, total, f"{taken:,} of {total:,} events taken in, {row['quarantined']:,} refused"),
        (row["scored"], total - row["quarantined"], f"{row['scored']:,} scored, {row['anomalies']:,} anomalies"),
        (heard, cases or None, f"{cases:,} cases, {row['rulings']:,} rulings"),
    ]
