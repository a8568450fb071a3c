"""A processor tried on what has come already, before it goes live: on the newest events of bronze, or on the newest anomalies."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines import bronze
from pipelines.errors import BronzeElsewhere
from pipelines.expression import compile_expression
from pipelines.fields import ANOMALY, EVENT, Scope
from pipelines.frame import Frame
from pipelines.guard import check_spec, enrichments, listings
from pipelines.judging import by_tenant, enrich, entering, listed, outcome, with_topic
from pipelines.pins import listing
from pipelines.plan import RESERVED, Listing, Segment, Step, TenantPlan, step_of
from store.database import Connection, Queries, fetch
from store.settings import Settings

SAMPLE = 20
THRESHOLDS_NOTE = "Hits are anomalies that would be flagged no more; what a lower threshold would add is seen only live."
LONGEST_MESSAGE = 500


@dataclass(frozen=True)
class Tried:
    """What a processor says of the newest events (or anomalies): counts, some hits, and events that it could not tell."""

    over: str  # events or anomalies
    evaluated: int
    hits: int
    errors: int
    took_ms: float
    events_per_s: float | None
    oldest: Any = None
    newest: Any = None
    sample: list[dict[str, Any]] = field(default_factory=list)
    unclear: list[dict[str, Any]] = field(default_factory=list)
    note: str = ""


def dry_run(
    queries: Queries, settings: Settings, tenant: str, raw: dict[str, Any], *, events: int = 10_000, topic: str = "*",
    filter: str = "", usual: Mapping[str, float] | None = None,
) -> Tried:  # fmt: skip
    """Try a configuration, live nowhere, on at most `events` newest events that pass topic and filter.

    Raises BadSpec, BadExpression, BronzeElsewhere. What is slow (model, http) is not called: its `when` is tried.
    `usual`: the score from which each detector flags, against which thresholds are tried.
    """
    with queries.connection() as connection:
        spec = check_spec(connection, tenant, raw)
        if spec.kind in ("allow", "route", "thresholds"):
            return _on_anomalies(connection, tenant, spec, min(events, 5_000), usual or {})
        segment = _segment(connection, tenant, spec, topic, filter)
    return _on_events(settings, tenant, segment, min(events, settings.pipelines.dry_run_events))


def _segment(connection: Connection, tenant: str, spec: Any, topic: str, filter: str) -> Segment:
    """The draft in a segment of its own, behind every enrichment that it names."""
    names = listings(connection, tenant)
    known = enrichments(connection, tenant, names)
    wanted: frozenset[str] = getattr(
        step_of("draft", 0, spec, names, Scope(EVENT, frozenset(names), known)).when, "enriched", frozenset()
    )
    before = [one["spec"] for one in fetch(connection, "specs_with_lists", tenant=tenant) if one["spec"].get("as") in wanted]
    used = _loaded(connection, tenant, names)
    steps = [_step(raw, used) for raw in before]
    draft = step_of("draft", 0, spec, used, Scope(EVENT, frozenset(used), known))
    chosen = compile_expression(filter, Scope(EVENT, frozenset(used))) if filter else None
    return Segment("dry run", topic, chosen, (*steps, draft))


def _step(raw: dict[str, Any], used: Mapping[str, Listing]) -> Step:
    from pipelines import specs

    return step_of(raw["as"], 0, specs.read(raw), used, Scope())


def _loaded(connection: Connection, tenant: str, names: Mapping[str, Listing]) -> dict[str, Listing]:
    rows = fetch(connection, "all_lists", tenant=tenant, after="", limit=100_000)
    return {row["list"]: listing(connection, tenant, row["list"], row["live_version"]) for row in rows if row["list"] in names}


def _on_events(settings: Settings, tenant: str, segment: Segment, events: int) -> Tried:
    if not settings.bronze.startswith("/"):
        raise BronzeElsewhere
    started = time.perf_counter()
    table = newest_events(Path(settings.bronze), tenant, events)
    if table is None:
        return Tried("events", 0, 0, 0, _ms(started), None, note="There are no events yet.")
    lists = {name: step.listing.keys for step in segment.steps if step.listing is not None and (name := step.spec.list)}
    clock = time.perf_counter()
    frame = entering(segment, Frame(with_topic(table), lists))
    for step in segment.steps[:-1]:
        enrich(step, frame)
    step = segment.steps[-1]
    hit, bad = (enrich(step, frame), None) if step.kind == "enrich" else outcome(step, frame)
    judged_s = time.perf_counter() - clock
    errors = np.zeros(len(frame), bool) if bad is None else bad
    times = table["event_time"]
    return Tried(
        "events", len(frame), int(hit.sum()), int(errors.sum()), _ms(started), len(frame) / judged_s if judged_s > 0 else None,
        pc.min(times).as_py(), pc.max(times).as_py(), shown(frame.table, hit), shown(frame.table, errors),
    )  # fmt: skip


def newest_events(place: Path, tenant: str, events: int) -> pa.Table | None:
    """The tenant's newest rows of bronze, at most `events`, as they arrived; None when there are none."""
    wanted = sorted((set(EVENT) - {"topic"}) | set(RESERVED))
    held: list[pa.Table] = []
    reach, last = events, 0
    while True:  # another tenant's rows may lie between: look further back until there are enough, or no more
        files = bronze.newest(place, reach)
        if len(files) == last:
            break
        last, held = len(files), [part for table in bronze.tables(files, wanted) for _, part in by_tenant(table, _only(tenant))]
        if sum(part.num_rows for part in held) >= events:
            break
        reach *= 4
    if not held or not sum(part.num_rows for part in held):
        return None
    table = in_utc(pa.concat_tables(held, promote_options="default").combine_chunks())
    return table.slice(max(table.num_rows - events, 0))


def _only(tenant: str) -> dict[str, TenantPlan]:
    return {tenant: TenantPlan(tenant, "", (), {}, (), {})}


def in_utc(table: pa.Table) -> pa.Table:
    """Spark writes instants without a zone: they are UTC."""
    at = table.column_names.index("event_time")
    column = table["event_time"].cast(pa.timestamp("us"), safe=False)
    return table.set_column(at, "event_time", pc.assume_timezone(column, "UTC"))


def _on_anomalies(connection: Connection, tenant: str, spec: Any, most: int, usual: Mapping[str, float]) -> Tried:
    """Allow lists, routes and thresholds act on anomalies: tried on the newest ones there are."""
    started = time.perf_counter()
    rows = fetch(connection, "newest_anomaly_rows", tenant=tenant, limit=most)
    table = pa.Table.from_pylist([_flat(row) for row in rows], schema=ROW)
    times = [row["event_time"] for row in rows]
    if spec.kind == "thresholds":
        return _thresholds(rows, spec.thresholds, usual, _ms(started), times)
    names = _loaded(connection, tenant, listings(connection, tenant))
    held = enrichments(connection, tenant, names)
    step = step_of("draft", 0, spec, names, Scope(ANOMALY, frozenset(names), held))
    frame = Frame(table, {name: one.keys for name, one in names.items()})
    for raw in (one["spec"] for one in fetch(connection, "specs_with_lists", tenant=tenant) if one["spec"]["kind"] == "enrich"):
        enrich(_step(raw, names), frame)
    hit, bad = (listed(step, frame), None) if step.kind == "allow" else outcome(step, frame)
    errors = np.zeros(len(frame), bool) if bad is None else bad
    return Tried("anomalies", len(rows), int(hit.sum()), int(errors.sum()), _ms(started), None, min(times, default=None),
                 max(times, default=None), shown(table, hit), shown(table, errors))  # fmt: skip


def _thresholds(
    rows: list[dict[str, Any]], thresholds: Mapping[str, float], usual: Mapping[str, float], took_ms: float, times: list[Any]
) -> Tried:
    """Hits are anomalies that would be none. What a lower threshold would add cannot be known from what was flagged."""
    gone = [
        one for one in rows if not any(_ratio(name, ratio, one, thresholds, usual) >= 1 for name, ratio in one["scores"].items())
    ]
    sample = [{"entity": one["entity"], "detector": one["detector"], "scores": one["scores"]} for one in gone[:SAMPLE]]
    return Tried("anomalies", len(rows), len(gone), 0, took_ms, None, min(times, default=None), max(times, default=None), sample,
                 note=THRESHOLDS_NOTE)  # fmt: skip


def _ratio(name: str, ratio: float, row: Mapping[str, Any], thresholds: Mapping[str, float], usual: Mapping[str, float]) -> float:
    wanted = thresholds.get(f"{row['entity_kind']}/{name}", thresholds.get(name))
    return ratio if wanted is None or name not in usual else ratio * usual[name] / wanted


ROW = pa.schema(
    [
        ("event_id", pa.string()), ("event_time", pa.timestamp("us", "UTC")), ("kind", pa.string()), ("account_id", pa.string()),
        ("amount", pa.float64()), ("currency", pa.string()), ("counterparty_id", pa.string()), ("service", pa.string()),
        ("status", pa.int32()), ("latency_ms", pa.float64()), ("metric", pa.string()), ("value", pa.float64()),
        ("message", pa.string()), ("attributes", pa.map_(pa.string(), pa.string())), ("entity", pa.string()),
        ("entity_kind", pa.string()), ("detector", pa.string()), ("severity", pa.float64()), ("expected", pa.float64()),
        ("observed", pa.float64()), ("hits", pa.int64()),
    ]
)  # fmt: skip


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    event = row["event"]
    about = {name: row[name] for name in ("entity", "entity_kind", "detector", "severity", "expected", "observed", "hits")}
    return {**event, "event_time": row["event_time"], "attributes": list((event.get("attributes") or {}).items()), **about}


def shown(table: pa.Table, which: Any) -> list[dict[str, Any]]:
    """The newest of these rows without empty fields, the message capped."""
    rows = table.filter(pa.array(which))
    rows = rows.slice(max(rows.num_rows - SAMPLE, 0)).drop_columns([name for name in RESERVED if name in table.column_names])
    return [_tidy(row) for row in reversed(rows.to_pylist())]


def _tidy(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if value is not None and value != []}
    if "message" in kept:
        kept["message"] = kept["message"][:LONGEST_MESSAGE]
    if "attributes" in kept:
        kept["attributes"] = dict(kept["attributes"])
    if "event_time" in kept:
        kept["event_time"] = kept["event_time"].isoformat()
    return kept


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
