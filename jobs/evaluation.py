"""What was injected against what was found: labels are compared with cases and rulings afterwards, never before.

An incident is *found* when a case of one of its entities overlaps its time, and *confirmed* when such a case's ruling in
force is. Overlap is granted a slack. Before the first event one minute: services are judged by the minute, so a case may
begin with the minute's first event. After the last event half an hour, the quiet gap that ends an episode: windows still
hold the incident's points then, and a hit in this time belongs to the same episode. A wider slack would credit chance.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.simulate.labels import Incident, Labels, read

if TYPE_CHECKING:
    from store.database import Database
    from trust.vault import Vault

BEFORE = timedelta(seconds=60)
AFTER = timedelta(seconds=1800)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Tally:
    """Incidents of one scenario."""

    scenario: str
    injected: int
    found: int
    confirmed: int


@dataclass(frozen=True)
class Evaluation:
    """Counts of incidents (each once), of cases and of flagged points; `missed` names the incidents without a confirmed case."""

    injected: int
    found: int
    confirmed: int
    confirmed_cases: int
    confirmed_injected: int
    anomalies: int
    anomalies_not_injected: int
    scenarios: tuple[Tally, ...]
    missed: tuple[str, ...]

    @property
    def confirmed_not_injected(self) -> int:
        return self.confirmed_cases - self.confirmed_injected

    @property
    def confirmed_share(self) -> float | None:
        """Of the injected incidents; None without any."""
        return self.confirmed / self.injected if self.injected else None

    @property
    def injected_share(self) -> float | None:
        """Of the confirmed cases; None without any."""
        return self.confirmed_injected / self.confirmed_cases if self.confirmed_cases else None


@dataclass(frozen=True)
class Span:
    """When an incident counts, for one of its entities; `first` and `last` hold the slack already."""

    incident: str
    first: datetime
    last: datetime

    def overlaps(self, begin: datetime, end: datetime) -> bool:
        return begin <= self.last and end >= self.first


def evaluate(
    database: "Database", labels_path: Path, *, shift_s: float = 0.0, tenant: str = "main", vault: "Vault | None" = None
) -> Evaluation:
    """Compares the database with a labels file; `shift_s` is what `produce` added to the events' times.

    `vault`: of the tenant, when identifiers are tokenised, since labels name what was really there.

    Raises OSError when there is no such file, msgspec.ValidationError when it holds no labels.
    """
    labels = read(labels_path.read_bytes())
    cases = database.fetch("judged_cases", tenant=tenant)
    points = database.fetch("flagged_points", tenant=tenant)
    if vault is not None:
        real = vault.real(database, {row["entity"] for row in (*cases, *points)})
        cases, points = ([row | {"entity": real[row["entity"]]} for row in rows] for rows in (cases, points))
    return compare(labels, cases, points, shift_s)


def compare(labels: Labels, cases: Sequence[Row], points: Iterable[Row], shift_s: float = 0.0) -> Evaluation:
    """Pure core: `cases` have entity, started_at, last_at and outcome (None while unruled), `points` entity and event_time."""
    spans = spans_of(labels.incidents, timedelta(seconds=shift_s))
    touched = [(case["outcome"], met(spans, case["entity"], case["started_at"], case["last_at"])) for case in cases]
    found = {name for _, names in touched for name in names}
    confirmed = {name for outcome, names in touched if outcome == "confirmed" for name in names}
    strays = [not met(spans, point["entity"], point["event_time"], point["event_time"]) for point in points]
    return Evaluation(
        injected=len(labels.incidents),
        found=len(found),
        confirmed=len(confirmed),
        confirmed_cases=sum(outcome == "confirmed" for outcome, _ in touched),
        confirmed_injected=sum(outcome == "confirmed" and bool(names) for outcome, names in touched),
        anomalies=len(strays),
        anomalies_not_injected=sum(strays),
        scenarios=tallies(labels.incidents, found, confirmed),
        missed=tuple(incident.id for incident in labels.incidents if incident.id not in confirmed),
    )


def spans_of(incidents: Iterable[Incident], shift: timedelta) -> dict[str, list[Span]]:
    """Entity → when which incident counts for it."""
    spans: dict[str, list[Span]] = {}
    for incident in incidents:
        first, last = datetime.fromisoformat(incident.first) + shift, datetime.fromisoformat(incident.last) + shift
        span = Span(incident.id, first - BEFORE, last + AFTER)
        for entity in incident.entities:
            spans.setdefault(entity, []).append(span)
    return spans


def met(spans: Mapping[str, list[Span]], entity: str, begin: datetime, end: datetime) -> set[str]:
    """The incidents that a stretch of one entity's time overlaps."""
    return {span.incident for span in spans.get(entity, ()) if span.overlaps(begin, end)}


def tallies(incidents: Sequence[Incident], found: set[str], confirmed: set[str]) -> tuple[Tally, ...]:
    """Per scenario, in the labels' order."""
    scenarios = dict.fromkeys(incident.scenario for incident in incidents)
    grouped = {name: {incident.id for incident in incidents if incident.scenario == name} for name in scenarios}
    return tuple(Tally(name, len(ids), len(ids & found), len(ids & confirmed)) for name, ids in grouped.items())
