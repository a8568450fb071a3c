"""Numbers that only the database knows: the docket, what streams are behind, deliveries, commands, the audit log.

They come from `conclave operate` alone. With several of them each says the same, so that rules and dashboards take the `max by`
of them, never the sum. A database that is away is said by `conclave_up`; the scrape itself never fails and never waits longer
than two seconds.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric

from observe.telemetry import catalogue
from store.database import Database
from store.errors import ConclaveError
from store.sections.telemetry import Telemetry
from trust import audit

WAIT_S = 2.0
LANES = ("immediate", "batch")
JOBS = ("ingest", "detect", "council")
Row = dict[str, Any]
Sample = tuple[Sequence[str], float]
log = structlog.get_logger("telemetry")


@dataclass(frozen=True)
class Number:
    """A gauge read from a query: `samples` makes labelled values of its rows."""

    name: str
    meaning: str
    labels: tuple[str, ...]
    query: str
    samples: Callable[[list[Row]], list[Sample]]


def depth(rows: list[Row]) -> list[Sample]:
    """Cases that wait or are heard, by lane; a lane without any is 0, since autoscalers need a number."""
    return [
        ([lane], sum(r["cases"] for r in rows if r["lane"] == lane and r["state"] in ("waiting", "leased"))) for lane in LANES
    ]


def oldest(rows: list[Row]) -> list[Sample]:
    waits = {row["lane"]: row["oldest_s"] for row in rows if row["state"] == "waiting" and row["oldest_s"] is not None}
    return [([lane], waits.get(lane, 0.0)) for lane in LANES]


def of_state(state: str) -> Callable[[list[Row]], list[Sample]]:
    return lambda rows: [([], float(sum(row["cases"] for row in rows if row["state"] == state)))]


def alive(rows: list[Row]) -> list[Sample]:
    found = {row["job"]: row["alive"] for row in rows}
    return [([job], float(found.get(job, 0))) for job in JOBS]


def dead_deliveries(rows: list[Row]) -> list[Sample]:
    return [([state], float(sum(row["deliveries"] for row in rows if row["state"] == state)))
            for state in ("waiting", "sending", "dead")]  # fmt: skip


def by(value: str, *labels: str) -> Callable[[list[Row]], list[Sample]]:
    """One sample a row; a null is no sample."""
    return lambda rows: [([str(row[one]) for one in labels], float(row[value])) for row in rows if row[value] is not None]


NUMBERS = (
    Number("conclave_docket_depth", "Cases that wait for the council or are being heard.", ("lane",), "telemetry_docket", depth),
    Number("conclave_docket_oldest_seconds", "Since when the oldest case waits that may be heard.", ("lane",), "telemetry_docket",
           oldest),
    Number("conclave_docket_dead", "Dead letters: cases whose every hearing failed.", (), "telemetry_docket", of_state("dead")),
    Number("conclave_docket_shed", "Cases filed with a receipt until there is room.", (), "telemetry_docket", of_state("shed")),
    Number("conclave_lag_waiting", "Files, events or rows that a stream has yet to take.", ("stream", "unit"), "telemetry_lag",
           by("waiting", "job", "unit")),
    Number("conclave_lag_seconds", "Since when the oldest of them waits (0 for Kafka, which does not say).", ("stream",),
           "telemetry_lag", by("oldest_s", "job")),
    Number("conclave_last_commit_timestamp_seconds", "When a stream last committed a batch.", ("stream",), "telemetry_streams",
           by("committed", "job")),
    Number("conclave_newest_event_timestamp_seconds", "Event time of the newest event of that batch.", ("stream",),
           "telemetry_streams", by("newest", "job")),
    Number("conclave_workers", "Processes that gave a sign of life in the last minute.", ("kind",), "telemetry_workers", alive),
    Number("conclave_deliveries_open", "Deliveries that wait, are being sent, or were given up.", ("state",),
           "telemetry_deliveries", dead_deliveries),
    Number("conclave_commands_open", "Commands that wait for somebody or for their sending.", ("action", "state"),
           "telemetry_commands", by("commands", "action", "state")),
    Number("conclave_cases_open", "Cases that people have not closed.", ("status",), "telemetry_cases", by("cases", "status")),
    Number("conclave_database_bytes", "Size of the whole database.", (), "telemetry_size", by("bytes")),
)  # fmt: skip
UP = ("conclave_up", "1 when what is named answered at the last look.", ("dependency",))
AUDIT = (
    ("conclave_audit_entries", "Entries of the audit log whose links hold."),
    ("conclave_audit_broken", "Chains of the audit log that are broken."),
    ("conclave_audit_checked_timestamp_seconds", "When the audit log was last followed from its first entry."),
)


class Gauges:
    """A collector for prometheus_client's registry. Looks at the database when it is scraped, at most every `fresh_s` seconds."""

    def __init__(self, database: Database, chosen: Telemetry, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._chosen, self._clock = database, chosen, clock
        self._lock, self._looking = threading.Lock(), ThreadPoolExecutor(1, thread_name_prefix="telemetry")
        self._under_way: Future[list[Metric]] | None = None
        self._seen, self._seen_at = list[Metric](), float("-inf")
        self._audit = Audit(database, chosen.audit_every_s, clock)

    def describe(self) -> Iterator[Metric]:
        """Every family, without values."""
        return families()

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            self._look()
            well = self._clock() - self._seen_at <= self._chosen.fresh_s + WAIT_S
            up = GaugeMetricFamily(*UP[:2], labels=UP[2])
            up.add_metric(["database"], float(well))
            yield up
            yield from self._seen if well else ()
            yield from self._audit.collect()

    def close(self) -> None:
        self._looking.shutdown(wait=False, cancel_futures=True)

    def _look(self) -> None:
        """Wait a little for a look that is due; one that hangs goes on by itself and is not started twice."""
        if self._under_way is None and self._clock() - self._seen_at > self._chosen.fresh_s:
            self._under_way = self._looking.submit(self._read)
        if self._under_way is None:
            return
        try:
            self._seen, self._seen_at = self._under_way.result(WAIT_S), self._clock()
        except TooSlow:
            return
        except ConclaveError as error:
            log.debug("the database's numbers could not be read", error=str(error))
        self._under_way = None

    def _read(self) -> list[Metric]:
        rows: dict[str, list[Row]] = {}
        for query in dict.fromkeys(one.query for one in NUMBERS):
            rows[query] = self._database.fetch(query)
        return [family(one, rows[one.query]) for one in NUMBERS]


def families() -> Iterator[Metric]:
    """Every family that Gauges gives, without values."""
    for one in NUMBERS:
        yield GaugeMetricFamily(one.name, one.meaning, labels=one.labels)
    yield GaugeMetricFamily(*UP[:2], labels=UP[2])
    for name, meaning in AUDIT:
        yield GaugeMetricFamily(name, meaning)


@contextmanager
def shown(database: Database, chosen: Telemetry) -> Iterator[Gauges]:
    """This process's /metrics shows the database's numbers, too, until the end."""
    gauges = Gauges(database, chosen)
    catalogue.REGISTRY.register(gauges)
    try:
        yield gauges
    finally:
        catalogue.REGISTRY.unregister(gauges)
        gauges.close()


def family(number: Number, rows: list[Row]) -> Metric:
    made = GaugeMetricFamily(number.name, number.meaning, labels=number.labels)
    for labels, value in number.samples(rows):
        made.add_metric(labels, value)
    return made


class Audit:
    """Follows every chain of the audit log from its first entry, in a thread of its own, when it is time."""

    def __init__(self, database: Database, every_s: float, clock: Callable[[], float]) -> None:
        self._database, self._every_s, self._clock = database, every_s, clock
        self._due, self._thread = float("-inf"), None
        self._found: tuple[float, float, float] | None = None

    def collect(self) -> Iterator[Metric]:
        if self._clock() >= self._due:
            self._due = self._clock() + self._every_s
            threading.Thread(target=self.look, name="telemetry-audit", daemon=True).start()
        for (name, meaning), value in zip(AUDIT, self._found or (), strict=False):
            yield GaugeMetricFamily(name, meaning, value=value)

    def look(self) -> None:
        """Once; a database that is away is asked again when it is next due."""
        try:
            verdicts = audit.verify_all(self._database)
        except ConclaveError as error:
            log.debug("the audit log could not be followed", error=str(error))
            return
        broken = [one for one in verdicts if one.broken is not None]
        for one in broken:
            log.error("the audit log is broken", tenant=one.tenant, entry=one.broken, why=one.why)
        self._found = float(sum(one.entries for one in verdicts)), float(len(broken)), time.time()
