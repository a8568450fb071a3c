"""The same batch at the same moment: one of them is taken."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from gateway.batch import Record, check
from gateway.intake import Posted, forget, take
from jobs.events import Rules
from store.database import Database
from store.sections.gateway import Gateway
from trust.roles import Caller, Role

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CALLER = Caller("main", "key:k", "k", Role.analyst)


class Kept:
    """A lane that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[str | None] = []

    def send(self, name: str, events: Sequence[Record], topic: str | None = None) -> None:
        self.sent += [event.event_id for event in events]

    def close(self) -> None:
        pass


def batch(numbers: range) -> list[Record]:
    sound = {"event_time": "2026-05-01T12:00:00Z", "kind": "transaction", "account_id": "A", "amount": 1}
    raws = [json.dumps({"event_id": f"t-{number}"} | sound) for number in numbers]
    return check([raw.encode() for raw in raws], Rules(NOW), "main")


@pytest.mark.parametrize("key", ["k-1", None])
def test_the_same_batch_at_once_is_taken_once(database: Database, key: str | None) -> None:
    lane = Kept()
    posted = Posted(CALLER, batch(range(300)), "hash", NOW, key)
    with ThreadPoolExecutor(4) as pool:
        answers = [future.result() for future in [pool.submit(take, database.of("main"), lane, posted) for _ in range(4)]]
    assert sorted(lane.sent, key=str) == sorted((record.event_id for record in posted.records), key=str)
    assert sum(again for _, again in answers) == (3 if key else 0)
    accepted = sum(fate.outcome == "accepted" for fates, again in answers if not again for fate in fates)
    assert accepted == 300


def test_batches_that_overlap_do_not_block_each_other(database: Database) -> None:
    lane = Kept()
    mixed = [range(0, 200), range(199, -1, -1), range(100, 300), range(299, 99, -1)] * 2
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda numbers: take(database.of("main"), lane, Posted(CALLER, batch(numbers), "h", NOW)), mixed))
    assert sorted(lane.sent, key=str) == sorted((f"t-{n}" for n in range(300)), key=str)


def test_what_is_past_its_time_is_forgotten(database: Database) -> None:
    settings = Gateway(known_ids_s=60, answers_s=60)
    take(database.of("main"), Kept(), Posted(CALLER, batch(range(3)), "h", NOW, "k"))
    assert forget(database, settings, NOW) == 0
    later = datetime(2026, 6, 1, 0, 1, 1, tzinfo=UTC)
    assert forget(database, settings, later) == 4
    lane = Kept()
    take(database.of("main"), lane, Posted(CALLER, batch(range(3)), "h", later, "k"))
    assert len(lane.sent) == 3
