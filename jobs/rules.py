"""Processors inside the stream: a batch is judged by the set it is pinned to, and what came of it is in its transaction."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs import entities, limits
from jobs.points import ACCOUNT, SERIES, SERVICE
from pipelines import bronze, hits
from pipelines.errors import PartialBatch
from pipelines.judging import Key, Tallies, Tally
from pipelines.plan import Plan, Step
from pipelines.verdicts import Verdict, judge_flagged, lane_of
from store.database import Connection, fetch, run
from store.settings import Settings

if TYPE_CHECKING:
    from jobs.sink import Batch, Events

PRIMARY = {"transaction": ACCOUNT, "request": SERVICE, "measurement": SERIES}
Rows = list[dict[str, Any]]
AsJson = Callable[[dict[str, Any]], dict[str, Any]]
Judged = tuple[Tallies, int | None]  # and how many events were seen, None when none had to be
EVENT = pa.schema(
    [
        ("event_id", pa.string()), ("event_time", pa.timestamp("us", "UTC")), ("kind", pa.string()), ("account_id", pa.string()),
        ("amount", pa.float64()), ("currency", pa.string()), ("counterparty_id", pa.string()), ("service", pa.string()),
        ("status", pa.int32()), ("latency_ms", pa.float64()), ("metric", pa.string()), ("value", pa.float64()),
        ("message", pa.string()), ("attributes", pa.map_(pa.string(), pa.string())), ("source", pa.string()),
        ("entity", pa.string()), ("entity_kind", pa.string()), ("detector", pa.string()), ("severity", pa.float64()),
        ("expected", pa.float64()), ("observed", pa.float64()), ("hits", pa.int64()),
    ]
)  # fmt: skip


@dataclass
class Applied:
    """What a plan made of one batch, on its way into the batch's transaction."""

    plan: Plan
    tallies: Tallies = field(default_factory=dict)  # over events
    flagged: Tallies = field(default_factory=dict)  # over flagged events; made anew when a transaction is tried again
    verdicts: dict[tuple[str, int], Verdict] = field(default_factory=dict)  # (episode, bronze row) of what was flagged
    lanes: dict[str, str] = field(default_factory=dict)  # episode → lane

    def rows(self) -> list[int]:
        """Bronze rows of the hits that are kept."""
        return [row for tally in self.tallies.values() for row in tally.rows.tolist()]

    def steps(self) -> dict[Key, Step]:
        return {
            (tenant, segment.segment, step.processor, step.version): step
            for tenant, one in self.plan.tenants.items() for segment in one.segments for step in segment.steps
        }  # fmt: skip


def overrides(plan: Plan) -> str:
    """The plan's thresholds as they travel to the fold."""
    return limits.written({tenant: one.thresholds for tenant, one in plan.tenants.items()})


def applied(plan: Plan, judged: Judged, events: int) -> Applied:
    """What is known once the batch's events were judged; `events` is how many the fold saw of them.

    Raises PartialBatch when the rules saw another number: counts would be wrong.
    """
    tallies, seen = judged
    if seen is not None and seen != events:
        raise PartialBatch(f"{seen:,} rows in its files, {events:,} events.")
    return Applied(plan, tallies)


def files_of(
    commit_text: Callable[[int], str | None], ends: Sequence[Any], before: Sequence[Any], first_version: int
) -> list[str]:
    """Paths below bronze of the files that a batch read; `commit_text` gives a commit of Delta's log."""
    low, high = bronze.between(before[0] if before else None, ends[0], first_version)
    commits = ((version, commit_text(version) or "") for version in range(low[0], high[0] + 1))
    return [one.path for one in bronze.of_batch(commits, low, high)]


def flag(connection: Connection, batch: "Batch", events: "Events", anomalies: Rows, episodes: Rows, cases: Rows) -> None:
    """Set the lanes of the batch's cases as the rules say, and record what they keep from the council."""
    applied = batch.rules
    if applied is None or not applied.plan:
        return
    applied.flagged, applied.verdicts, applied.lanes = {}, {}, {}
    flagged = flagged_rows(batch, events, anomalies, episodes)
    for tenant, plan in applied.plan.tenants.items():
        mine = [one for one in flagged if one["tenant"] == tenant]
        table = pa.Table.from_pylist(mine, schema=EVENT)
        for one, verdict in zip(mine, judge_flagged(plan, table, applied.flagged), strict=True):
            applied.verdicts[one["episode_id"], one["row"]] = verdict
        count_thresholds(applied, tenant, [one for one in mine if one["detector"]])
    raised = {
        row["case_id"]: row["lane"] for row in fetch(connection, "raised_lanes_of", case_ids=[one["case_id"] for one in cases])
    }
    grouped: dict[str, list[Verdict]] = defaultdict(list)
    for (episode, _), verdict in applied.verdicts.items():
        grouped[episode].append(verdict)
    for one in cases:
        one["lane"] = applied.lanes[one["episode_id"]] = lane_of(
            one["lane"], grouped[one["episode_id"]], raised.get(one["case_id"])
        )
        note_raise(connection, one, grouped[one["episode_id"]])


def flagged_rows(batch: "Batch", events: "Events", anomalies: Rows, episodes: Rows) -> Rows:
    """The events of kept anomalies, and of each episode its newest, with what the anomaly says."""
    known = {one["episode_id"]: one for one in episodes}
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for one in batch.rows("episode"):
        held = known[one["episode_id"]]
        about = {"detector": None, "severity": one["worst"], "expected": None, "observed": None}
        rows[one["episode_id"], one["last_row"]] = about | {
            "entity": held["entity"],
            "entity_kind": held["kind"],
            "hits": one["hits"],
        }
    for one, found in zip(anomalies, batch.rows("anomaly"), strict=True):
        held = known[one["episode_id"]]
        rows[one["episode_id"], found["row"]] = {
            "entity": held["entity"], "entity_kind": held["kind"], "hits": held["revision"], "detector": one["detector"],
            "severity": one["severity"], "expected": one["expected"], "observed": one["value"],
        }  # fmt: skip
    return [{**events[row], **about, "episode_id": episode, "row": row} for (episode, row), about in rows.items()]


def note_raise(connection: Connection, case: dict[str, Any], verdicts: Iterable[Verdict]) -> None:
    raised = [one for one in verdicts if one.raised is not None]
    if raised:
        best = next((one for one in raised if one.raised == "immediate"), raised[0])
        _, processor, version = best.raised_by
        run(
            connection,
            "put_lane",
            tenant=case["tenant"],
            case_id=case["case_id"],
            lane=best.raised,
            processor=processor,
            version=version,
        )


def count_thresholds(applied: Applied, tenant: str, flagged: Sequence[Mapping[str, Any]]) -> None:
    """Of thresholds: flagged events, and those whose leading detector has one set."""
    for processor, version in applied.plan.tenants[tenant].threshold_steps:
        held = applied.plan.tenants[tenant].thresholds
        hit = sum(one["detector"] in held or f"{one['entity_kind']}/{one['detector']}" in held for one in flagged)
        applied.flagged[tenant, "", processor, version] = Tally("thresholds", len(flagged), hit)


def write_rules(connection: Connection, batch: "Batch", events: "Events", settings: Settings, as_json: AsJson) -> None:
    """Counts, hits, messages, work and suppressions of the batch."""
    applied = batch.rules
    if applied is None or not applied.plan:
        return
    suppress(connection, batch, applied)
    found, steps = kept_hits(batch, applied, events, as_json), applied.steps()
    nothing = {key: Tally(step.kind) for key, step in steps.items()}  # every rule has its count, also when it saw nothing
    hits.write(
        connection,
        (batch.query_id, batch.batch_id),
        nothing | applied.tallies | applied.flagged,
        found,
        steps,
        settings.pipelines,
    )


def suppress(connection: Connection, batch: "Batch", applied: Applied) -> None:
    """Record the anomalies whose case an allow list filed."""
    for one in batch.rows("anomaly"):
        verdict = applied.verdicts.get((one["episode_id"], one["row"]))
        if verdict is not None and verdict.allowed and applied.lanes.get(one["episode_id"]) == "filed":
            segment, processor, version = verdict.allowed[0]
            tenant, entity = batch.named[one["episode_id"]]
            run(connection, "put_suppression", tenant=tenant, anomaly_id=one["anomaly_id"], case_id=f"case-{one['episode_id']}",
                entity=entity, processor=processor, version=version, segment=segment, query_id=batch.query_id,
                batch_id=batch.batch_id)  # fmt: skip


def kept_hits(batch: "Batch", applied: Applied, events: "Events", as_json: AsJson) -> list[hits.Hit]:
    """The kept hits with their events, and with the case of their entity when this batch touched one."""
    steps = applied.steps()
    looked_up = enriched(applied, events)
    cases = {entity: f"case-{episode}" for episode, (_, entity) in batch.named.items()}
    found = []
    for key, tally in applied.tallies.items():
        for row in tally.rows.tolist():
            event, step = events[row], steps[key]
            entity = entity_of(event)
            more = {"enriched": looked_up[row]} if looked_up.get(row) else {}
            found.append(hit_of(batch, key, step, event, entity, cases.get(entity), as_json(event) | more))
    return found


def hit_of(
    batch: "Batch", key: Key, step: Step, event: Mapping[str, Any], entity: str, case_id: str | None, shown: dict[str, Any]
) -> hits.Hit:
    tenant, segment, processor, version = key
    return hits.Hit(
        tenant=tenant, hit_id=hits.hit_id(*key, event["event_id"]), processor=processor,
        version=version, segment=segment, kind=step.kind, query_id=batch.query_id, batch_id=batch.batch_id,
        event_id=event["event_id"], event_time=event["event_time"], entity=entity, case_id=case_id,
        lane=getattr(step.spec, "lane", None),
        severity=step.spec.severity, event=shown,
    )  # fmt: skip


def enriched(applied: Applied, events: "Events") -> dict[int, dict[str, Any]]:
    """What enrichments say of the kept hits, by bronze row."""
    found: dict[int, dict[str, Any]] = {}
    for tenant, plan in applied.plan.tenants.items():
        if any(step.kind == "enrich" for segment in plan.segments for step in segment.steps):
            rows = sorted({row for key, tally in applied.tallies.items() if key[0] == tenant for row in tally.rows.tolist()})
            table = pa.Table.from_pylist([events[row] for row in rows], schema=EVENT)
            found |= {row: dict(one.enriched) for row, one in zip(rows, judge_flagged(plan, table, {}), strict=True)}
    return found


def entity_of(event: Mapping[str, Any]) -> str:
    """The entity whose window the event belongs to first; '' for kinds without one."""
    kind = PRIMARY.get(event["kind"])
    return "" if kind is None else entities.name(kind, event)[0]
