"""The docket's depth kept within bounds: what is over is filed with a receipt, and put back when there is room."""

import math
from typing import Any

from observe.telemetry import catalogue
from rag import loss, shedding
from rag.shedding import Over, Standing
from store import database as store
from store.database import Connection, Database, Jsonb
from store.settings import Settings

ROWS = list[dict[str, Any]]


def file_overflow(database: Database, settings: Settings) -> int:
    """Lower and file what is over the docket's depth; how many cases that were. One worker at a time does it.

    The immediate lane's overflow is heard in the batch lane, the batch lane's is filed. What a person asked for
    (`retry`) and rehearings do not count and stay. Each case that goes gets a receipt in the same transaction.
    """
    council = settings.council
    depth = database.fetch("docket_depth")[0]
    if depth["immediate"] <= council.max_immediate and depth["batch"] <= council.max_depth:
        return 0
    with database.connection() as connection:
        if not store.fetch(connection, "try_shedding")[0]["mine"]:
            return 0
        gone = {
            "immediate": _shed(connection, settings, "immediate", council.max_immediate, "lower_cases"),
            "batch": _shed(connection, settings, "batch", council.max_depth, "file_cases"),
        }
    for lane, number in gone.items():
        catalogue.SHED.labels(lane).inc(number)
    return sum(gone.values())


def _shed(connection: Connection, settings: Settings, lane: str, room: int, name: str) -> int:
    rows = store.fetch(connection, "docket_standing", lane=lane)
    severity = {row["case_id"]: row["severity"] if math.isfinite(row["severity"]) else 1.0 for row in rows}
    found = {row["case_id"]: shedding.weighed(severity[row["case_id"]], _stake(row), settings.desk) for row in rows}
    _, gone = shedding.over([Standing(case_id, severity[case_id], found[case_id][1]) for case_id in found], room)
    if not gone:
        return 0
    policy = {"by": "expected loss", "lane": lane, "room": room, "assumed_stake": settings.desk.assumed_stake}
    why = f"{len(rows):,} cases stood in the {lane} lane, which has room for {room:,}"
    receipts = [_receipt(one, found[one.case.case_id][0]) for one in gone]
    return store.run(connection, name, receipts=Jsonb(receipts), policy=Jsonb(policy), why=why)


def _stake(row: dict[str, Any]) -> dict[str, Any]:
    return loss.stake(row["payments"], {} if row["errors"] is None else {"errors": row["errors"]})


def _receipt(one: Over, expected: loss.Loss) -> dict[str, Any]:
    return {
        "case_id": one.case.case_id, "rank": one.rank, "of_all": one.of_all, "severity": one.case.severity,
        "weight": one.case.weight, "expected_loss": expected.amount, "loss_currency": expected.currency,
        "loss_words": expected.words,
    }  # fmt: skip


def put_back(database: Database, limit: int) -> int:
    """Put filed cases on the docket again, those with the most to lose first; how many."""
    return database.run("return_cases", limit=limit) if limit > 0 else 0


def room(database: Database, settings: Settings) -> int:
    """How many more cases the batch lane would take now."""
    return max(0, settings.council.max_depth - int(database.fetch("docket_depth")[0]["batch"]))


def filed(database: Database, limit: int) -> ROWS:
    """Cases that are filed now, with their receipts, those with the most to lose first."""
    return database.fetch("filed_cases", limit=limit)


def receipts(database: Database, case_id: str) -> ROWS:
    """Every receipt of a case, the newest first."""
    return database.fetch("case_receipts", case_id=case_id)


def totals(database: Database) -> dict[str, Any]:
    """How many cases are filed now and since when, what they may cost, and how many ever were."""
    return database.fetch("receipt_totals")[0]
