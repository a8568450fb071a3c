"""A plain Python loop with deques: one process, everything in memory, nothing durable. What it flags is what all must flag."""

from collections import deque
from collections.abc import Iterable

from bench.peers.rule import OFFSET, SLOPE, WINDOW
from bench.peers.task import Report, Task, chunks

CHUNK = 50_000


class Loop:
    """Every account's window as [deque, sum, sum of squares]."""

    def __init__(self) -> None:
        self.windows: dict[str, tuple[deque[int], list[int]]] = {}

    def flagged(self, rows: Iterable[int], accounts: Iterable[str], codes: Iterable[int]) -> list[int]:
        """The rows that stand out against the last points of their account."""
        windows, found = self.windows, []
        for row, account, code in zip(rows, accounts, codes, strict=True):
            held = windows.get(account)
            if held is None:
                held = windows[account] = (deque(maxlen=WINDOW), [0, 0])
            window, sums = held
            n, (total, squares) = len(window), sums
            above = n * code - total
            if above * above >= SLOPE[n] * (n * squares - total * total) + OFFSET[n]:
                found.append(row)
            if n == WINDOW:
                old = window[0]
                total, squares = total - old, squares - old * old
            window.append(code)
            sums[0], sums[1] = total + code, squares + code * code
        return found


def main() -> None:
    task, report, loop = Task.given(), Report(), Loop()
    files = [file for both in zip(*task.parts, strict=True) for file in both]
    for rows, accounts, codes in chunks(files, CHUNK, report):
        report.flagged += loop.flagged(rows, accounts, codes)
    report = in_batches(report, len(task.parts))
    report.done(task.out)


def in_batches(report: Report, parts: int) -> Report:
    """Files were counted; a batch is one file of each part."""
    began, events = dict[int, float](), dict[int, int]()
    for number, moment in report.began.items():
        began.setdefault(number // parts, moment)
        events[number // parts] = events.get(number // parts, 0) + report.events[number]
    return Report(began, events, report.flagged, note="one process")


if __name__ == "__main__":
    main()
