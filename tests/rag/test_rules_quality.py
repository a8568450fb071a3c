"""The rules council on the bundled data, folded here without Spark: labels are read after the rulings, never before."""

import csv
import gzip
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from jobs.entities import name
from jobs.evaluation import Evaluation, compare
from jobs.events import Accepted, Event, Rules, micros, validate
from jobs.fold import observe
from jobs.points import ACCOUNT, COUNTERPARTY, KIND_NAMES, SERIES, SERVICE, Points
from jobs.policy import Policy
from jobs.simulate.labels import read
from jobs.state import State
from rag.brief import build
from rag.council import Hearing, rule
from rag.facts import Facts, Section
from rag.ranking import WordIndex, best
from rag.rules import convene
from rag.sections import cautions, sections_of, steps
from rag.signals import counter_query, query
from rag.triage import lane
from store.sections.core import Council, Detect

DATA = Path(__file__).parents[2] / "data"
EPOCH, BATCH = datetime(1970, 1, 1, tzinfo=UTC), 2000
Row = dict[str, Any]


def events() -> list[Event]:
    rules = Rules(now=datetime(2024, 3, 8, tzinfo=UTC))
    found = []
    for file in ("transactions", "requests", "measurements"):
        with gzip.open(DATA / f"{file}.jsonl.gz") as lines:
            found += [one.event for line in lines if isinstance(one := validate(line.rstrip(b"\n"), rules), Accepted)]
    return sorted(found, key=lambda event: (event.event_time, event.event_id))


def points(all_events: list[Event], hash64: Any) -> tuple[Points, dict[int, str]]:
    names, rows = {}, []
    for at, event in enumerate(all_events):
        kinds = {"transaction": [ACCOUNT, COUNTERPARTY], "request": [SERVICE]}.get(event.kind, [SERIES])
        value = next((v for v in (event.amount, event.latency_ms, event.value) if v is not None), np.nan)
        for kind in kinds if event.counterparty_id or event.kind != "transaction" else [ACCOUNT]:
            entity = name(kind, {field: getattr(event, field) for field in event.__struct_fields__})[0]
            names[hash64(entity)] = entity
            content = hash64(repr(event)) & 255
            error = (event.status or 0) >= 500
            rows.append((kind, hash64(entity), micros(event.event_time), hash64(event.event_id), content, value, error, at))
    types = (np.int8, np.int64, np.int64, np.int64, np.uint8, float, bool, np.int64)
    return Points(*(np.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True))), names


def fold(all_events: list[Event], hash64: Any) -> list[Row]:
    """Every episode of the bundled data as a case with its kept hits."""
    policy = Policy.of(Detect())
    state = State.empty(policy)
    stream, names = points(all_events, hash64)
    episodes: dict[str, Row] = {}
    hits: dict[str, list[Row]] = defaultdict(list)
    for start in range(0, len(all_events), BATCH):
        state, out = observe(state, stream.take((stream.row >= start) & (stream.row < start + BATCH)), policy)
        episodes |= {row["episode_id"]: row for row in (out["episode"].to_pylist() if "episode" in out else [])}
        for row in out["anomaly"].to_pylist() if "anomaly" in out else []:
            event = json.loads(msgspec.json.encode(all_events[row["row"]]))
            given = {"scores": json.loads(row["scores"]), "context": json.loads(row["context"]), "event": event}
            hits[row["episode_id"]].append({**row, **given, "event_id": event["event_id"], "event_time": at(row["time"])})
    kinds = {name: name for name in KIND_NAMES}
    return [
        {
            "case_id": f"case-{key}", "tenant": "main", "episode_id": key, "entity": names[row["entity_hash"]],
            "kind": kinds[names[row["entity_hash"]].partition(":")[0]], "revision": row["hits"], "severity": row["worst"],
            "lane": lane(row["worst"], Council()), "started_at": at(row["first"]), "last_at": at(row["last"]),
            "detectors": row["detectors"], "hits": hits[key],
        }
        for key, row in episodes.items()
    ]  # fmt: skip


def at(time: int) -> datetime:
    return EPOCH + timedelta(microseconds=time)


@cache
def runbook() -> tuple[Any, WordIndex]:
    sections = sections_of((DATA / "runbook.md").read_text(encoding="utf-8"), "runbook")
    return sections, WordIndex([section.text for section in sections])


@cache
def found(text: str, kind: str) -> tuple[Section, ...]:
    """By words alone: what the real search finds is tested elsewhere."""
    sections, words = runbook()
    keep = [i for i, section in enumerate(sections) if f"kind={kind}" in section.tags]
    scores = words.scores(text)[keep]
    order = best(scores, 3, [sections[i].section_id for i in keep])
    return tuple(as_section(sections[keep[i]]) for i in order)


def as_section(one: Any) -> Section:
    action = next((tag.partition("=")[2] for tag in one.tags if tag.startswith("action=")), "")
    return Section(one.section_id, one.heading_path, 1.0, tuple(steps(one)), tuple(cautions(one)), one.body[:300], action)


def near(case: Row, cases: list[Row], services: set[str]) -> tuple[Row, ...]:
    """What brief_neighbours selects, over rows in memory."""
    places = {hit["event"].get("counterparty_id") for hit in case["hits"]} - {None}
    accounts = {hit["event"].get("account_id") for hit in case["hits"]} - {None}
    slack, related = timedelta(minutes=10), []
    for other in cases:
        event = max(other["hits"], key=lambda hit: hit["severity"])["event"]
        if other is case or other["last_at"] < case["started_at"] - slack or other["started_at"] > case["last_at"] + slack:
            continue
        subject = other["entity"].partition(":")[2].rpartition("/")[0]
        shares = event.get("counterparty_id") in places or (
            other["kind"] == "account" and case["kind"] == "counterparty" and subject in accounts
        )
        linked = case["kind"] == "service" and other["kind"] == "service" and event.get("service") in services
        if shares or linked:
            ids = {key: event.get(key) for key in ("counterparty_id", "account_id", "service")}
            related.append({**{key: other[key] for key in other if key != "hits"}, **ids})
    return tuple(sorted(related, key=lambda row: -row["severity"])[:24])


def facts(case: Row, cases: list[Row], edges: tuple[tuple[str, str], ...]) -> Facts:
    services = {service for edge in edges for service in edge}
    fortnight = case["started_at"] - timedelta(days=14)
    earlier = sum(fortnight <= one["started_at"] < case["started_at"] for one in cases if one["entity"] == case["entity"])
    known = Facts(case, tuple(case["hits"]), neighbours=near(case, cases, services), earlier_episodes=earlier)
    known = known.having(edges=edges if case["kind"] == "service" else ())
    honest = [one for one in found(counter_query(known), case["kind"]) if one.action == "none"][:1]
    likely = [one for one in found(query(known), case["kind"]) if one not in honest]
    return known.having(sections=(*likely[:1], *honest, *likely[1:]))


@pytest.fixture(scope="module")
def evaluated(hash64: Any) -> tuple[Evaluation, list[Any]]:
    cases = fold(events(), hash64)
    with (DATA / "topology.csv").open(encoding="utf-8") as file:
        edges = tuple((row["caller"], row["callee"]) for row in csv.DictReader(file))
    rulings = {}
    for case in cases:
        if case["lane"] != "filed":
            brief = build(facts(case, cases, edges), Council().brief_tokens)
            rulings[case["case_id"]] = rule(Hearing(brief, convene(brief), "rules"))
    judged = [{**case, "outcome": rulings[case["case_id"]].outcome if case["case_id"] in rulings else None} for case in cases]
    return compare(read((DATA / "labels.json").read_bytes()), judged, []), list(rulings.values())


def test_most_injected_incidents_are_confirmed_and_few_others(evaluated: tuple[Evaluation, list[Any]]) -> None:
    evaluation = evaluated[0]
    assert evaluation.confirmed_share is not None
    assert evaluation.confirmed_share >= 0.85, evaluation.missed
    assert evaluation.injected_share is not None
    assert evaluation.injected_share >= 0.8


def test_no_scenario_is_missed_as_a_whole(evaluated: tuple[Evaluation, list[Any]]) -> None:
    assert all(tally.confirmed / tally.injected >= 0.5 for tally in evaluated[0].scenarios)


def test_every_number_of_the_detectors_recomputes(evaluated: tuple[Evaluation, list[Any]]) -> None:
    failed = [(ruling.case_id, check) for ruling in evaluated[1] for check in ruling.checks if not check["ok"]]
    assert failed == []
    assert sum(check["check"] == "score" for ruling in evaluated[1] for check in ruling.checks) > 50
