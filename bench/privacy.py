"""Events a second through the ingest job, with plain and with tokenised identifiers."""

import argparse
import json
import random
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jobs import ingest
from jobs.session import session
from store import embedded
from store.database import Database, open_database
from store.settings import Settings, read
from trust import master

START = datetime(2026, 3, 1, tzinfo=UTC)


def land(folder: Path, batches: int, events: int, accounts: int, messages: float, seed: int) -> None:
    """One file per batch, so that a batch is a file; a share of the events carries free text with a card in it."""
    folder.mkdir(parents=True)
    draw = random.Random(seed)  # noqa: S311
    for batch in range(batches):
        lines = []
        for n in range(events):
            time_at = START + timedelta(seconds=(batch * events + n) / 50)
            event: dict[str, Any] = {
                "event_id": f"e{batch}-{n}", "event_time": time_at.isoformat(), "kind": "transaction",
                "account_id": f"ACC-{draw.randrange(accounts)}", "amount": round(draw.lognormvariate(3, 1), 2), "currency": "EUR",
                "counterparty_id": f"T-{draw.randrange(5_000)}", "attributes": {"channel": "chip", "category": "food"},
            }  # fmt: skip
            if draw.random() < messages:
                event["message"] = f"payment {n} by card 4111 1111 1111 1111, thank you"
            lines.append(json.dumps(event))
        (folder / f"{batch:03d}.jsonl").write_text("\n".join(lines) + "\n")


def measure(settings: Settings, database: Database, name: str) -> list[float]:
    """Seconds of each micro-batch, from Spark's own progress."""
    spark = session(settings, name)
    query = ingest.start(spark, settings, database, once=True)
    query.awaitTermination()
    return [one["durationMs"]["triggerExecution"] / 1000 for one in query.recentProgress if one["numInputRows"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=5)
    parser.add_argument("--events", type=int, default=50_000, help="events of a batch")
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--messages", type=float, default=0.2, help="share of events that carry free text")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = {mode: run(Path(place), mode, given) for mode in ("plain", "tokenised")}
    if given.json:
        print(json.dumps(found))
        return
    for mode, one in found.items():
        print(f"{mode}: {one['warm']:,.0f} events/s warm, {one['first']:,.0f} in the first batch; seconds {one['seconds']}")


def run(place: Path, mode: str, given: argparse.Namespace) -> dict[str, Any]:
    home = place / mode
    home.mkdir()
    home.chmod(0o755)
    place.chmod(0o755)
    land(home / "landing", given.batches, given.events, given.accounts, given.messages, seed=7)
    settings = read(home=home, source={"max_files_per_trigger": 1}, privacy={"identifiers": mode})
    master.create(master.place(settings))
    try:
        with open_database(settings) as database:
            began = time.perf_counter()
            seconds = measure(settings, database, f"privacy {mode}")
            whole = time.perf_counter() - began
    finally:
        embedded.remove(home)
    later = sorted(seconds[2:] or seconds)  # the second batch still compiles
    warm = given.events / later[len(later) // 2]
    rounded = [round(one, 2) for one in seconds]
    return {"warm": round(warm), "first": round(given.events / seconds[0]), "seconds": rounded, "whole_s": round(whole, 1)}


if __name__ == "__main__":
    main()
