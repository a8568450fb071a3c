"""Council workers, their database and their model under faults, without Spark: every case is ruled once, whatever dies."""

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chaos import coverage
from chaos.campaign import COMES_S, Campaign
from chaos.faults import Misbehave
from chaos.kinds import KINDS
from chaos.plant import Plant
from chaos.schedule import Fault
from rag import docket

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]
WANTED = ("council-in-model-call", "council-before-commit", "council-after-commit", "pause-council", "postgres-in-ruling",
          "network-lost-ruling", "model-hangs", "model-refuses", "model-babbles", "model-breaks-off")  # fmt: skip
START = datetime(2026, 3, 5, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    with tempfile.TemporaryDirectory(prefix="conclave-chaos-") as made:  # pytest closes its own folders to the database's account
        Path(made).chmod(0o755)
        with Plant(Path(made) / "c", kafka=False, mounts=False, pause_s=6, names=("council", "council-2")) as opened:
            yield opened


def hit(number: int) -> dict[str, Any]:
    """A payment of 1,200 where 40 is usual, with numbers that recompute."""
    return {
        "anomaly_id": f"x-{number}", "tenant": "main", "episode_id": f"{number:04x}", "ordinal": 1, "entity_hash": number,
        "entity": f"account:A{number}/EUR", "detector": "amount_z", "event_id": f"t{number}",
        "event_time": START + timedelta(minutes=number), "value": 1200.0, "expected": 40.0, "low": 4.18262408, "high": 382.534846,
        "unit": "amount", "window_size": 100, "severity": 0.7, "scores": {"amount_z": 1.349706},
        "context": {"n": 100, "log_mean": 3.68887945, "log_std": 0.5, "mean": 40.0, "median": 40.0, "mad": 8.0, "log_mad": 0.3,
                    "recent": [38.0, 41.5], "burst": 10, "span_s": 9000.0, "usual_span_s": 9500.0},
        "event": {"event_id": f"t{number}", "kind": "transaction", "account_id": f"A{number}", "amount": 1200.0},
        "arrived_at": datetime.now(UTC), "detected_at": datetime.now(UTC), "query_id": "q", "batch_id": 0,
    }  # fmt: skip


def put(plant: Plant, numbers: range) -> None:
    """Cases as the detect sink leaves them, and the council is woken."""
    with plant.database.connection() as connection:
        for number in numbers:
            row = hit(number)
            episode = row | {"kind": "account", "revision": 1, "started_at": row["event_time"], "last_at": row["event_time"],
                             "first_event_id": row["event_id"], "last_event_id": row["event_id"], "worst": row,
                             "detectors": ["amount_z"], "settings_hash": "s"}  # fmt: skip
            for table, content in (("episodes", episode), ("anomalies", row)):
                statement = f"insert into {table} select * from jsonb_populate_record(null::{table}, %s)"
                connection.execute(statement.encode(), (json.dumps(content, default=str),))
            case = {name: episode[name] for name in ("tenant", "episode_id", "entity", "kind", "revision", "severity",
                                                     "started_at", "last_at")}  # fmt: skip
            docket.put(connection, [case | {"case_id": f"case-{number:04x}", "lane": "batch"}])
        connection.execute("notify docket, 'batch'")


@pytest.mark.parametrize("kind", WANTED)
def test_every_case_is_ruled_once_whatever_dies(plant: Plant, kind: str) -> None:
    number = WANTED.index(kind)
    fault, blow, plant.caught = Fault(number, kind, "whole"), KINDS[kind].blow, None
    with KINDS[kind].moment.armed(plant) as come:
        put(plant, range(10 * number, 10 * number + 4))
        assert come(COMES_S), "its moment did not come"
        blow.strike(plant, fault)
    blow.heal(plant, fault)
    put(plant, range(10 * number + 4, 10 * number + 6))
    assert Campaign(plant, 1, print).drain() == ""
    assert len(plant.database.fetch("chaos_hearings")) == 6 * (number + 1)
    if not isinstance(blow, Misbehave):
        assert plant.caught in plant.processes, "the process that was hit is known"


def test_in_the_end_all_of_it_holds(plant: Plant) -> None:
    plant.settle()
    assert coverage.faults_of(plant.database, 0) == []
    hearings, rulings = plant.database.fetch("chaos_hearings"), plant.database.fetch("chaos_rulings")
    assert [row["in_force"] for row in hearings] == [1] * len(hearings)
    assert {row["council"] for row in rulings} == {"model", "rules"}, "both were needed"
    assert plant.watchdog.restarts["council"] + plant.watchdog.restarts["council-2"] >= 3
