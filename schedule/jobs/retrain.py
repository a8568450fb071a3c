"""What people's feedback says of each detector: its precision, and the threshold that would have served better.

Nothing is changed: a person sets `detect.thresholds`. The labelled scores go to a Parquet file, and to your own retrain
command if there is one.
"""

import itertools
import math
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schedule.errors import JobFailed
from schedule.registry import Context, Result

LEAST = 20  # verdicts before a threshold is proposed
Z95 = 1.959964
Label = tuple[float, bool]  # score over its threshold, whether people confirmed it


@dataclass(frozen=True)
class Advice:
    """One detector under feedback. `low`, `high`: Wilson's 95 % interval of the precision; `factor` times today's threshold."""

    detector: str
    confirmed: int
    dismissed: int
    low: float
    high: float
    factor: float | None


def mark(context: Context) -> str:
    return str(context.database.fetch("nightly_feedback_mark", tenant=context.tenant)[0]["mark"])


def run(context: Context) -> Result:
    rows = context.database.fetch("nightly_feedback", tenant=context.tenant)
    advice = [advise(name, labels) for name, labels in sorted(by_detector(rows).items())]
    file = write(rows, context.settings.home / "feedback", f"{context.now:%Y%m%dT%H%M%S}") if rows else None
    said = hook(context, file) if file is not None else ""
    return {"text": words(advice) + said, "advice": [asdict(one) for one in advice], "file": file.name if file else None}


def by_detector(rows: Iterable[dict[str, Any]]) -> dict[str, list[Label]]:
    """Every detector's scores where it fired, each with people's verdict."""
    labels: dict[str, list[Label]] = {}
    for row in rows:
        for detector, score in row["scores"].items():
            if score >= 1:
                labels.setdefault(detector, []).append((float(score), row["verdict"] == "confirm"))
    return labels


def advise(detector: str, labels: list[Label]) -> Advice:
    """Precision with its interval, and a proposal once there are LEAST verdicts of both kinds together."""
    confirmed = sum(good for _, good in labels)
    low, high = wilson(confirmed, len(labels))
    return Advice(detector, confirmed, len(labels) - confirmed, low, high, better(labels) if len(labels) >= LEAST else None)


def better(labels: list[Label]) -> float | None:
    """The factor on the threshold at which (confirmed kept − dismissed kept) is greatest; None when today's is as good.

    >>> better([(1.1, False), (1.2, False), (1.5, True), (2.0, True)])
    1.5
    """
    kept, best, factor = 0, 0, None
    for score, same in itertools.groupby(sorted(labels, reverse=True), key=lambda label: label[0]):
        kept += sum(1 if good else -1 for _, good in same)
        if kept > best:
            best, factor = kept, score
    today = sum(1 if good else -1 for _, good in labels)
    return factor if best > today else None


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927); (0, 1) when nothing was seen.

    >>> tuple(round(x, 2) for x in wilson(9, 10))
    (0.6, 0.98)
    """
    if of == 0:
        return 0.0, 1.0
    share, spread = hits / of, Z95**2 / of
    middle, width = share + spread / 2, Z95 * math.sqrt(share * (1 - share) / of + spread / of / 4)
    return max(0.0, (middle - width) / (1 + spread)), min(1.0, (middle + width) / (1 + spread))


def write(rows: list[dict[str, Any]], folder: Path, stamp: str) -> Path:
    """The verdicts with every detector's score as Parquet; no entity and no free text is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"feedback-{stamp}.parquet"
    kept = [{**row, "scores": list(row["scores"].items())} for row in rows]
    schema = pa.schema(
        [
            ("anomaly_id", pa.string()),
            ("detector", pa.string()),
            ("scores", pa.map_(pa.string(), pa.float64())),
            ("severity", pa.float64()),
            ("verdict", pa.string()),
            ("reason", pa.string()),
            ("at", pa.timestamp("us", "UTC")),
        ]
    )
    pq.write_table(pa.Table.from_pylist(kept, schema), file)
    return file


def hook(context: Context, file: Path) -> str:
    """Run the configured command on the file; what it said last. Raises JobFailed."""
    options = context.settings.schedule
    if not options.retrain_command:
        return ""
    command = [part.replace("{feedback}", str(file)) for part in options.retrain_command]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=options.report_timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JobFailed(f"(schedule.retrain_command: {error})") from None
    if ended.returncode != 0:
        raise JobFailed(f"(schedule.retrain_command ended with {ended.returncode}: {ended.stderr.strip()[-500:]})")
    return f"\n\nThe retrain command said:\n\n    {ended.stdout.strip()[-500:]}"


def words(advice: list[Advice]) -> str:
    if not advice:
        return "No feedback yet: confirm or dismiss anomalies and rulings, and this says what it means for the detectors."
    lines = ["| detector | confirmed | dismissed | precision, 95 % | proposed |", "|---|---|---|---|---|"]
    for one in advice:
        few = f"at {LEAST} verdicts" if one.confirmed + one.dismissed < LEAST else "as it is"
        proposed = few if one.factor is None else f"threshold × {one.factor:.2f}"
        lines.append(f"| {one.detector} | {one.confirmed} | {one.dismissed} | {one.low:.0%} to {one.high:.0%} | {proposed} |")
    return "# Feedback on the detectors\n\n" + "\n".join(lines)
