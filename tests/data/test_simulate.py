"""The simulator: seedable, labelled honestly, its faults exactly counted."""

import csv
import gzip
import hashlib
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from jobs.events import Accepted, Rules, validate
from jobs.produce import lines
from jobs.simulate import bundle, labels
from jobs.simulate.fraud import HISTORY_S

DATA = Path(__file__).parents[2] / "data"
FILES = ("transactions", "requests", "measurements")
RULES = Rules(now=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def made() -> bundle.Bundle:
    return bundle.simulate(7, 3, DATA / "nab")


@pytest.fixture(scope="module")
def events(made: bundle.Bundle) -> dict[str, list[Any]]:
    """The valid events of each file, in the order of arrival."""
    outcomes = {name: [validate(raw, RULES) for raw in raws] for name, raws in made.lines.items()}
    return {name: [one.event for one in listed if isinstance(one, Accepted)] for name, listed in outcomes.items()}


def digest(raws: list[bytes]) -> str:
    return hashlib.sha256(b"\n".join(raws)).hexdigest()


def test_the_bundled_files_are_what_the_simulator_makes(made: bundle.Bundle) -> None:
    for name in FILES:
        bundled = gzip.decompress((DATA / f"{name}.jsonl.gz").read_bytes()).splitlines()
        assert digest(bundled) == digest(made.lines[name]), name
    assert labels.read((DATA / "labels.json").read_bytes()) == made.labels


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    small = [bundle.simulate(3, 2, None, accounts=160, visits=400) for _ in range(2)]
    first, second = (bundle.write(one, tmp_path / str(number)) for number, one in enumerate(small))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_another_seed_gives_another_world() -> None:
    one, other = (bundle.simulate(seed, 2, None, accounts=160, visits=400) for seed in (1, 2))
    assert digest(one.lines["transactions"]) != digest(other.lines["transactions"])
    assert digest(one.lines["requests"]) != digest(other.lines["requests"])


def test_a_single_day_leaves_no_room_for_history() -> None:
    with pytest.raises(ValueError, match="two days"):
        bundle.simulate(7, 1, None)


def test_the_size_is_as_announced(made: bundle.Bundle) -> None:
    counts = made.labels.events
    assert 48_000 <= counts["transactions"] <= 54_000
    assert 48_000 <= counts["requests"] <= 52_000
    assert Counter(one.scenario for one in made.labels.incidents) == {
        "single_large": 16, "card_testing": 11, "stolen_card": 13, "bad_deploy": 1, "pool_exhaustion": 1,
        "third_party_outage": 1, "measured": 10,
    }  # fmt: skip


def test_the_readme_tells_the_true_counts(made: bundle.Bundle) -> None:
    told = (DATA / "README.md").read_text()
    for name, count in made.labels.events.items():
        assert f"| `{name}.jsonl.gz` | {count:,} |" in told
    for count, word in (
        (made.labels.duplicates, "come twice"),
        (made.labels.late, "come three hours late"),
        (25, "must be refused"),
    ):
        assert f"{count} {word}" in told


def test_exactly_the_counted_records_are_refused(made: bundle.Bundle) -> None:
    refused = [raw for raws in made.lines.values() for raw in raws if not isinstance(validate(raw, RULES), Accepted)]
    assert len(refused) == sum(made.labels.quarantined.values()) == 25


def test_repeated_deliveries_are_counted_and_ids_else_unique(events: dict[str, list[Any]], made: bundle.Bundle) -> None:
    ids = Counter(event.event_id for listed in events.values() for event in listed)
    assert sum(count - 1 for count in ids.values()) == made.labels.duplicates == 20


def test_late_events_are_counted_and_three_hours_behind_their_entity(events: dict[str, list[Any]], made: bundle.Bundle) -> None:
    newest: dict[str, datetime] = {}
    late = 0
    for event in events["transactions"] + events["requests"]:
        entity = event.account_id or event.service
        late += event.event_time < newest.get(entity, event.event_time) - timedelta(hours=1)
        newest[entity] = max(event.event_time, newest.get(entity, event.event_time))
    assert late == made.labels.late == 12


def test_faults_touch_no_injected_event(made: bundle.Bundle) -> None:
    spans = [(one.first, one.last, set(one.entities)) for one in made.labels.incidents if one.source == "transactions"]
    for raw in made.lines["transactions"]:
        if b"-late" in raw:
            event = msgspec.json.decode(raw)
            names = {f"account:{event['account_id']}/{event['currency']}"}
            assert not any(first <= event["event_time"] <= last and names & listed for first, last, listed in spans)


def test_every_fraud_comes_after_a_history_and_holds_its_events(made: bundle.Bundle, events: dict[str, list[Any]]) -> None:
    begin = bundle.START + timedelta(seconds=HISTORY_S)
    by_entity: dict[str, list[datetime]] = defaultdict(list)
    for event in events["transactions"]:
        by_entity[f"account:{event.account_id}/{event.currency}"].append(event.event_time)
        by_entity[f"counterparty:{event.counterparty_id}/{event.currency}"].append(event.event_time)
    for one in (one for one in made.labels.incidents if one.source == "transactions"):
        first, last = datetime.fromisoformat(one.first), datetime.fromisoformat(one.last)
        assert begin <= first <= last < bundle.START + timedelta(days=3)
        root = next(
            name for name in one.entities if name.startswith("counterparty" if one.scenario == "card_testing" else "account")
        )
        assert sum(at < first for at in by_entity[root]) >= 20, f"{one.id}: {root} has no past"
        assert sum(first <= at <= last for at in by_entity[root]) >= one.events


def test_amounts_break_the_victims_own_pattern(made: bundle.Bundle, events: dict[str, list[Any]]) -> None:
    logs: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    for event in events["transactions"]:
        logs[f"account:{event.account_id}/{event.currency}"].append((event.event_time, float(np.log(event.amount))))
    for one in (one for one in made.labels.incidents if one.scenario == "single_large"):
        at = datetime.fromisoformat(one.first)
        before = [log for time, log in logs[one.entities[0]] if time < at]
        (amount,) = (log for time, log in logs[one.entities[0]] if time == at)
        assert amount > np.mean(before) + 4 * np.std(before)


def test_outages_show_at_the_root_and_not_elsewhere(made: bundle.Bundle, events: dict[str, list[Any]]) -> None:
    outages = {one.scenario: one for one in made.labels.incidents if one.source == "requests"}

    def during(scenario: str, service: str) -> list[Any]:
        one = outages[scenario]
        first, last = datetime.fromisoformat(one.first), datetime.fromisoformat(one.last)
        return [event for event in events["requests"] if event.service == service and first <= event.event_time < last]

    def errors(listed: list[Any]) -> float:
        return sum(event.status >= 500 for event in listed) / len(listed)

    everything = [event for event in events["requests"] if event.service == "inventory"]
    assert errors(during("bad_deploy", "catalog")) > 0.4
    assert errors(during("bad_deploy", "payments")) < 0.05
    assert errors(during("third_party_outage", "payments")) > 0.5
    assert errors(during("third_party_outage", "checkout")) > 0.5
    assert errors(during("third_party_outage", "catalog")) < 0.05
    usual = float(np.median([event.latency_ms for event in everything]))
    assert np.median([event.latency_ms for event in during("pool_exhaustion", "inventory")]) > 10 * usual
    assert np.median([event.latency_ms for event in during("pool_exhaustion", "checkout")]) > 700


def test_base_error_rates_are_small(made: bundle.Bundle, events: dict[str, list[Any]]) -> None:
    spans = [
        (datetime.fromisoformat(one.first), datetime.fromisoformat(one.last))
        for one in made.labels.incidents
        if one.source == "requests"
    ]
    calm = [event for event in events["requests"] if not any(first <= event.event_time <= last for first, last in spans)]
    for service in {event.service for event in calm}:
        own = [event.status >= 500 for event in calm if event.service == service]
        assert 0.0005 < np.mean(own) < 0.02, service


def test_every_call_is_in_the_topology(events: dict[str, list[Any]]) -> None:
    with (DATA / "topology.csv").open() as file:
        edges = {(row["caller"], row["callee"]) for row in csv.DictReader(file)}
    calls = {(event.attributes["caller"], event.service) for event in events["requests"]} - {("client", "gateway")}
    assert calls <= edges
    assert len(calls) >= 7


def test_a_caller_is_never_faster_than_its_callee(events: dict[str, list[Any]]) -> None:
    traces: dict[str, dict[str, float]] = defaultdict(dict)
    for event in events["requests"]:
        if not event.event_id.endswith("-late"):
            traces[event.attributes["trace"]][event.service] = event.latency_ms
    for hops in traces.values():
        assert hops["gateway"] >= max(latency for service, latency in hops.items() if service != "gateway") - 0.11


def test_the_measured_series_keep_their_values_and_spacing(events: dict[str, list[Any]]) -> None:
    for path in sorted((DATA / "nab").glob("*/*.csv")):
        with path.open() as file:
            rows = [(datetime.fromisoformat(row["timestamp"]), float(row["value"])) for row in csv.DictReader(file)]
        rows.sort()
        own = [event for event in events["measurements"] if event.metric == path.stem]
        assert [event.value for event in own] == [value for _, value in rows]
        assert [event.event_time - own[0].event_time for event in own] == [at - rows[0][0] for at, _ in rows]
        assert own[-1].event_time == bundle.START + timedelta(days=3)


def test_files_stand_in_order_of_time_but_for_the_late(made: bundle.Bundle) -> None:
    times = [line.at for line in lines(DATA / "transactions.jsonl.gz")]
    assert sum(later < earlier for earlier, later in pairwise(times)) <= made.labels.late
