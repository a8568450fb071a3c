"""Real measured series of the Numenta Anomaly Benchmark as canonical measurements, shifted in time, their spacing kept."""

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jobs.simulate.labels import Incident
from jobs.simulate.purchases import rfc3339

WINDOWS = "combined_windows.json"


@dataclass(frozen=True)
class Series:
    """`times` are moved by `shift` so that the last point is the simulation's end."""

    group: str
    name: str
    times: tuple[datetime, ...]
    values: tuple[float, ...]
    windows: tuple[tuple[datetime, datetime], ...]

    @property
    def entity(self) -> str:
        return f"series:{self.group}/{self.name}"


def read(folder: Path, end: datetime) -> list[Series]:
    """Every series in `folder`, in order of its path; times become UTC and move as one so that each ends at `end`."""
    windows = json.loads((folder / WINDOWS).read_text())
    paths = sorted(folder.glob("*/*.csv"))
    return [_series(path, windows[path.relative_to(folder).as_posix()], end) for path in paths]


def _series(path: Path, windows: list[list[str]], end: datetime) -> Series:
    with path.open(newline="") as file:
        rows = [(_utc(row["timestamp"]), float(row["value"])) for row in csv.DictReader(file)]
    rows.sort()
    shift = end - rows[-1][0]
    marked = tuple((_utc(first) + shift, _utc(last) + shift) for first, last in windows)
    return Series(path.parent.name, path.stem, tuple(at + shift for at, _ in rows), tuple(value for _, value in rows), marked)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def as_events(every: list[Series]) -> list[dict[str, object]]:
    """All series' points in order of time."""
    points = [(at, number, place) for number, series in enumerate(every) for place, at in enumerate(series.times)]
    points.sort()
    return [_event(every[number], place, at) for at, number, place in points]


def _event(series: Series, place: int, at: datetime) -> dict[str, object]:
    return {
        "event_id": f"nab-{series.name}-{place + 1:05d}",
        "event_time": rfc3339(at, 0),
        "kind": "measurement",
        "service": series.group,
        "metric": series.name,
        "value": series.values[place],
    }


def incidents(every: list[Series]) -> list[Incident]:
    """The benchmark's labelled windows; a window that reaches past the data is cut at its end."""
    return [
        Incident(
            f"measured-{series.name}-{number}", "measured", (series.entity,), rfc3339(first, 0),
            rfc3339(min(last, series.times[-1]), 0), "measurements", sum(first <= at <= last for at in series.times),
        )
        for series in every
        for number, (first, last) in enumerate(series.windows, 1)
    ]  # fmt: skip
