"""One batch of findings in one Postgres transaction: ledger, metrics, entities, anomalies, episodes, cases and docket."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import structlog

from jobs import entities, refusals
from jobs.checkpoint import hashed
from jobs.errors import BatchConflict
from jobs.events import EPOCH
from jobs.points import KIND_NAMES, NEVER
from jobs.policy import Policy
from jobs.rules import Applied, flag, write_rules
from rag.triage import lane
from store.bulk import append_new, copy_fixed, copy_rows
from store.database import Connection, Database, Jsonb, fetch, run
from store.settings import Settings

LONGEST_MESSAGE = 500
LONGEST_SEALED = 4_000
EVENT_FIELDS = (
    "event_id", "kind", "account_id", "amount", "currency", "counterparty_id", "service", "status", "latency_ms", "metric",
    "value",
)  # fmt: skip
Events = dict[int, dict[str, Any]]  # bronze row number → the row


@dataclass
class Batch:
    """What the fold found in one micro-batch; `tables` by row kind, see jobs.findings."""

    query_id: str
    batch_id: int
    tables: dict[str, pa.Table]
    started: datetime
    offsets: list[Any] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)
    rules: Applied | None = None
    named: dict[str, tuple[str, str]] = field(default_factory=dict)  # episode → (tenant, entity), once known
    counted_to: int | None = None  # µs up to which hours may be in the metrics already

    def rows(self, kind: str) -> list[dict[str, Any]]:
        return self.tables[kind].to_pylist() if kind in self.tables else []

    def wanted_rows(self) -> list[int]:
        """Bronze rows whose names are needed: of new entities, anomalies, conflicts, first and last hits."""
        numbers: set[int] = set(self.rules.rows()) if self.rules is not None else set()
        named = (("entity", "row"), ("conflict", "row"), ("anomaly", "row"), ("episode", "first_row"), ("episode", "last_row"))
        for kind, column in named:
            if kind in self.tables:
                numbers.update(self.tables[kind][column].to_pylist())
        return sorted(numbers - {-1})

    def counts(self) -> dict[str, int]:
        """The shards' counts added up; `newest` is the newest of them."""
        names = ("events", "points", "late", "duplicates", "conflicts", "unwatched", "evicted_idle", "evicted_cap", "hits",
                 "entities", "state_bytes")  # fmt: skip
        table = self.tables["count"]
        held = set(table.column_names)
        totals = {name: sum(n or 0 for n in table[name].to_pylist()) if name in held else 0 for name in names}
        totals["conflicts"] = len(self.conflicting())
        return totals | {"newest": max(table["newest"].to_pylist()), "newest_row": max(table["newest_row"].to_pylist())}

    def conflicting(self) -> list[int]:
        """Bronze rows of events that conflict with an earlier one, at any of their entities."""
        return sorted({one["row"] for one in self.rows("conflict")})

    def conflict_rows(self, events: Events, tenant: str) -> list[tuple[Any, ...]]:
        """Rows of Delta `quarantine` for events whose id came before with another content."""
        reason = "an event with this id and another content was seen before"
        rows = []
        for row in self.conflicting():
            event = events[row]
            raw = json.dumps(event_json(event, whole=True)).encode()
            rows.append((event["tenant"] or tenant, raw, event["source"], event["position"], reason, "event_id", row,
                         event["ingest_time"], self.batch_id))  # fmt: skip
        return rows


def commit(database: Database, batch: Batch, events: Events, policy: Policy, settings: Settings) -> bool:
    """Write the batch, or nothing when it is in the ledger already (False).

    Raises BatchConflict when the ledger holds this batch with other offsets or settings.
    """
    offsets_hash = hashed(batch.offsets)
    with database.connection() as connection:
        held = fetch(connection, "find_batch", job="detect", query_id=batch.query_id, batch_id=batch.batch_id)
        if held:
            if (held[0]["offsets_hash"], held[0]["settings_hash"]) != (offsets_hash, policy.hash):
                raise BatchConflict(f"(batch {batch.batch_id} of query {batch.query_id})")
            return False
        refusals.prepare(connection)
        batch.counted_to = next((row["counted_to"] for row in fetch(connection, "counted_hours")), None)
        names = write_entities(connection, batch, events)
        write_metrics(connection, batch)
        write_flagged(connection, batch, events, policy, settings)
        write_conflicts(connection, batch, events, settings)
        write_rules(connection, batch, events, settings, event_json)
        counts = batch.counts()
        counted_to = max(counts["newest"], NEVER if batch.counted_to is None else batch.counted_to)
        detail = {**batch.detail, "new_entities": names, "newest_row": counts.pop("newest_row"), "counted_to": counted_to}
        run(connection, "put_detect_batch", query_id=batch.query_id, batch_id=batch.batch_id, offsets_hash=offsets_hash,
            settings_hash=policy.hash, offsets={"ends": batch.offsets}, newest_event=moment(counts.pop("newest")),
            episodes=len(batch.rows("episode")), detail=detail, started_at=batch.started, **counts)  # fmt: skip
    return True


def write_entities(connection: Connection, batch: Batch, events: Events) -> int:
    columns = ("entity_hash", "tenant", "entity", "kind", "subject", "qualifier", "first_seen", "arrived_at")
    rows = []
    for one in batch.rows("entity"):
        event = events[one["row"]]
        entity, subject, qualifier = entities.name(one["kind"], event)
        rows.append((one["entity_hash"], event["tenant"], entity, KIND_NAMES[one["kind"]], subject, qualifier,
                     moment(one["time"]), event["ingest_time"]))  # fmt: skip
    if rows:
        copy_rows(connection, "incoming_entities", columns, sorted(rows))
        run(connection, "merge_entities")
    return len(rows)


def write_metrics(connection: Connection, batch: Batch) -> None:
    if "metric_hour" in batch.tables:
        write_hours(connection, metric_columns(batch.tables["metric_hour"].drop_columns(["errors"])), batch.counted_to)
    if "metric_minute" in batch.tables:
        table = batch.tables["metric_minute"]
        timed = (
            table["histogram"].is_valid()
            if "histogram" in table.column_names
            else pa.chunked_array([pa.array([False] * len(table))])
        )
        for part, width in ((table.filter(timed), 64), (table.filter(pa.compute.invert(timed)), 0)):
            if part.num_rows:
                columns = metric_columns(part.drop_columns(["histogram"]) if "histogram" in part.column_names else part)
                flat = part["histogram"].combine_chunks().flatten().to_numpy() if width else np.empty(0, np.int64)
                copy_fixed(connection, "incoming_minutes", columns | {"histogram": flat.reshape(part.num_rows, width)})
        run(connection, "merge_minutes")


def write_hours(connection: Connection, hours: dict[str, Any], counted_to: int | None) -> None:
    """Hours that began after every event counted so far cannot be in the table: they are appended, a third of a merge's cost."""
    order = np.lexsort((hours["bucket"], hours["entity_hash"]))
    hours = {name: values[order] for name, values in hours.items()}
    named = fetch(connection, "tenants_named")[0]
    mixed = named["first"] != named["last"]
    hours["tenant"] = np.full(len(order), (named["first"] or "main").encode())
    fresh = hours["bucket"].astype(np.int64) > (NEVER if counted_to is None else counted_to)
    new = {name: values[fresh] for name, values in hours.items()}
    if not mixed and fresh.any() and append_new(connection, "metrics_hour", new):
        hours = {name: values[~fresh] for name, values in hours.items()}
    if len(hours["bucket"]):
        copy_fixed(connection, "incoming_hours", hours)
        run(connection, "merge_hours", mixed=mixed)


def metric_columns(table: pa.Table) -> dict[str, Any]:
    columns = {name: table[name].to_numpy() for name in table.column_names}
    columns["bucket"] = columns["bucket"].astype("datetime64[us]")
    return columns


def write_flagged(connection: Connection, batch: Batch, events: Events, policy: Policy, settings: Settings) -> None:
    """Anomalies and episodes, then their cases and the docket, then wake the council."""
    now = datetime.now(UTC)
    kinds = entity_names(batch, events)
    anomalies = [anomaly(one, batch, events, kinds, now) for one in batch.rows("anomaly")]
    if anomalies:
        copy_rows(connection, "incoming_anomalies", list(anomalies[0]), [tuple(row.values()) for row in anomalies])
        run(connection, "merge_anomalies")
    worst = {(row["episode_id"], one["id"]): row for row, one in zip(anomalies, batch.rows("anomaly"), strict=True)}
    episodes = [episode(one, worst, events, kinds, policy, now) for one in batch.rows("episode")]
    if not episodes:
        return
    copy_rows(connection, "incoming_episodes", list(episodes[0]), [tuple(row.values()) for row in episodes])
    run(connection, "merge_episodes")
    cases = [case(one, settings) for one in episodes]
    batch.named = {one["episode_id"]: (one["tenant"], one["entity"]) for one in episodes}
    flag(connection, batch, events, anomalies, episodes, cases)
    run(connection, "create_incoming_cases")
    copy_rows(connection, "incoming_cases", list(cases[0]), [tuple(row.values()) for row in cases])
    run(connection, "put_cases")
    run(connection, "put_on_docket")
    for name in sorted({row["lane"] for row in cases} - {"filed"}):
        run(connection, "notify_docket", lane=name)


def entity_names(batch: Batch, events: Events) -> dict[int, tuple[str, int]]:
    """entity hash → (name, kind) of all that is flagged."""
    return {
        one["entity_hash"]: (entities.name(one["kind"], events[one["last_row"]])[0], one["kind"]) for one in batch.rows("episode")
    }


def anomaly(
    one: dict[str, Any], batch: Batch, events: Events, kinds: dict[int, tuple[str, int]], now: datetime
) -> dict[str, Any]:
    """A row of the table `anomalies`."""
    event = events[one["row"]]
    kept = ("anomaly_id", "episode_id", "ordinal", "entity_hash", "detector", "value", "expected", "low", "high", "unit",
            "window_size", "severity", "scores", "context")  # fmt: skip
    return {name: one[name] for name in kept} | {
        "tenant": event["tenant"], "entity": kinds[one["entity_hash"]][0], "event_id": event["event_id"],
        "event_time": moment(one["time"]), "event": Jsonb(event_json(event)), "arrived_at": event["ingest_time"],
        "detected_at": now, "query_id": batch.query_id, "batch_id": batch.batch_id,
    }  # fmt: skip


def episode(one: dict[str, Any], worst: dict[tuple[str, int], dict[str, Any]], events: Events, kinds: dict[int, tuple[str, int]],
            policy: Policy, now: datetime) -> dict[str, Any]:  # fmt: skip
    """A row of the table `episodes`; its first and worst hit are kept from an earlier batch when they are not in this one."""
    last, first = events[one["last_row"]], events.get(one["first_row"])
    row = worst.get((one["episode_id"], one["worst_anomaly"]))
    return {
        "episode_id": one["episode_id"], "tenant": last["tenant"], "entity_hash": one["entity_hash"],
        "entity": kinds[one["entity_hash"]][0], "kind": KIND_NAMES[kinds[one["entity_hash"]][1]], "revision": one["hits"],
        "started_at": moment(one["first"]), "last_at": moment(one["last"]),
        "first_event_id": (first or last)["event_id"], "last_event_id": last["event_id"],
        "worst": Jsonb(readable(row) if row is not None else {}), "severity": one["worst"], "detectors": one["detectors"],
        "settings_hash": policy.hash, "arrived_at": (first or last)["ingest_time"], "detected_at": now,
    }  # fmt: skip


def case(episode: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """A row of `incoming_cases`."""
    return {
        "case_id": f"case-{episode['episode_id']}", "tenant": episode["tenant"], "episode_id": episode["episode_id"],
        "entity": episode["entity"], "kind": episode["kind"], "revision": episode["revision"], "severity": episode["severity"],
        "lane": lane(episode["severity"], settings.council), "started_at": episode["started_at"], "last_at": episode["last_at"],
    }  # fmt: skip


def write_conflicts(connection: Connection, batch: Batch, events: Events, settings: Settings) -> None:
    names = ("tenant", "raw", "source", "position", "reason", "field", "row_id", "ingest_time", "ingest_batch")
    rows = [refusals.row(dict(zip(names, row, strict=True))) for row in batch.conflict_rows(events, settings.tenant)]
    if rows:
        copy_rows(connection, "incoming_quarantined", refusals.COLUMNS, rows)
        run(connection, "merge_quarantined")


def readable(row: dict[str, Any]) -> dict[str, Any]:
    """An anomaly row as JSON: times as text, JSON columns as values."""
    plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    return plain | {"scores": json.loads(row["scores"]), "context": json.loads(row["context"]), "event": row["event"].obj}


def event_json(event: dict[str, Any], *, whole: bool = False) -> dict[str, Any]:
    """The canonical event without its empty fields; the message is capped unless `whole`."""
    out = {name: event[name] for name in EVENT_FIELDS if event[name] is not None}
    out["event_time"] = event["event_time"].isoformat()
    if event["message"] is not None:
        longest = LONGEST_SEALED if event["message"].startswith("sealed:1:") else LONGEST_MESSAGE  # cut, it opens no more
        out["message"] = event["message"] if whole else event["message"][:longest]
    if event["attributes"]:
        out["attributes"] = dict(event["attributes"])
    return out


def say_waiting(error: Exception, seconds: float) -> None:
    """A job whose database is away says so each time that it tries again in vain."""
    structlog.get_logger().warning("waiting for the database", so_far_s=round(seconds, 1), why=str(error))


def moment(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)
