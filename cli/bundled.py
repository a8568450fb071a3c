"""The bundled data: what the demo teaches the council and what it feeds the stream."""

import csv
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.database import Database
    from store.settings import Settings

DATA = Path(__file__).parents[1] / "data"
LABELS = DATA / "labels.json"


def teach(database: "Database") -> None:
    """The runbook and who calls whom; what is there already is not done again."""
    from rag import runbook

    runbook.add_file(database, DATA / "runbook.md")
    with (DATA / "topology.csv").open(newline="") as file:
        for edge in csv.DictReader(file):
            database.run("put_edge", tenant="main", caller=edge["caller"], callee=edge["callee"])


def land(settings: "Settings") -> int:
    """Put the bundled data into the landing folder, unless a kept run did; the number of records there."""
    from jobs.produce import produce
    from jobs.targets import Folder

    record = settings.home / "landed"
    if not record.exists():
        shutil.rmtree(settings.landing, ignore_errors=True)
        settings.landing.mkdir(parents=True)
        sent = produce([DATA / f"{name}.jsonl.gz" for name in labels()["events"]], Folder(settings.landing, 10_000))
        record.write_text(str(sent.events))
    return int(record.read_text())


def labels() -> dict[str, Any]:
    known: dict[str, Any] = json.loads(LABELS.read_text())
    return known


def events() -> int:
    return sum(labels()["events"].values())
