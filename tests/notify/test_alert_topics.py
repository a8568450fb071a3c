"""Alert topics keep what they take, in order and once; subscriptions set off channels, processors and the model."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hook_receiver import Receiver
from post_office import ADMIN, Post

from notify import registry
from notify.errors import Again, InUse, Refused
from notify.registry import Change
from notify.senders import Outgoing
from notify.targets import Targets, processing
from pipelines import catalogue
from store.database import Database


@pytest.fixture
def fraud(post: Post) -> Post:
    post.put("topic", "fraud", matchers=["kind~ruling.confirmed|rule.hit"], retention_days=7)
    return post


def kept(post: Post) -> list[tuple[int, str]]:
    rows = registry.messages_of(post.database, "main", "fraud", 0, 1000)
    return [(row["offset"], row["subject"]) for row in rows]


def test_it_keeps_what_it_takes_in_order(fraud: Post) -> None:
    for number, kind in enumerate(["ruling.confirmed", "case.opened", "rule.hit", "ruling.unresolved"]):
        fraud.publish(kind, subject=f"s{number}")
    fraud.run()
    fraud.publish("rule.hit", subject="s4")
    fraud.run()
    assert kept(fraud) == [(0, "s0"), (1, "s2"), (2, "s4")]


def test_offsets_have_no_gaps_with_several_dispatchers(fraud: Post, post_with: Callable[..., Post]) -> None:
    for number in range(60):
        fraud.publish("rule.hit", subject=f"s{number}", dedupe_key=str(number))
    workers = [post_with(batch=7) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda one: one.run(), workers))
    found = kept(fraud)
    assert [offset for offset, _ in found] == list(range(60))
    assert len({subject for _, subject in found}) == 60


def test_old_messages_of_a_topic_go(fraud: Post) -> None:
    fraud.publish("rule.hit", subject="old")
    fraud.run()
    fraud.run(8 * 86_400)
    fraud.publish("rule.hit", subject="new")
    fraud.run()
    assert kept(fraud) == [(1, "new")]


def test_a_subscription_sets_off_a_channel(fraud: Post, hook: Receiver) -> None:
    fraud.put("subscription", "grave", topic="fraud", matchers=["severity>=0.8"], target={"kind": "channel", "name": "hook"},
              group_wait_s=0)  # fmt: skip
    for number, severity in enumerate((0.9, 0.5, 0.85)):
        fraud.publish("rule.hit", subject=f"s{number}", severity=severity)
    fraud.publish("case.opened", severity=1.0)
    fraud.run()
    assert sorted(got.json["subject"] for got in hook.got) == ["s0", "s2"]


def test_a_subscription_sets_off_a_processor_with_every_message_once(fraud: Post) -> None:
    given: list[tuple[str, str, list[str], str]] = []

    def processor(tenant: str, name: str, messages: Sequence[Mapping[str, Any]], key: str) -> str:
        given.append((tenant, name, [message["subject"] for message in messages], key))
        if len(given) == 1:
            raise Again("(busy)")
        return "done"

    fraud.targets = Targets(processor)
    fraud.put(
        "subscription", "look", topic="fraud", target={"kind": "processor", "name": "deep-look"}, group_by=[], group_wait_s=0
    )
    for number in range(3):
        fraud.publish("rule.hit", subject=f"s{number}", payload={"n": number})
    fraud.run()
    fraud.run(10)
    assert [one[:3] for one in given] == [("main", "deep-look", ["s0", "s1", "s2"])] * 2
    assert given[0][3] == given[1][3]
    assert fraud.rows("select state, kind, answer from deliveries") == [{"state": "sent", "kind": "processor", "answer": "done"}]


def test_a_subscription_asks_the_model_and_keeps_its_answer(fraud: Post) -> None:
    asked = []

    def model(prompt: str, out: Outgoing) -> str:
        asked.append((prompt, out.content["total"]))
        return "Three rules hit the same account."

    fraud.targets = Targets(None, model)
    fraud.put(
        "subscription", "why", topic="fraud", target={"kind": "model", "name": "What have these in common?"}, group_by=["kind"]
    )
    for number in range(3):
        fraud.publish("rule.hit", subject=f"s{number}")
    fraud.run()
    fraud.run(5)
    assert asked == [("What have these in common?", 3)]
    assert fraud.rows("select answer from deliveries") == [{"answer": "Three rules hit the same account."}]


def test_a_processor_gets_the_messages_as_work_once(fraud: Post, database: Database) -> None:
    with database.connection() as connection:
        asks = {"kind": "model", "when": "true", "question": "Is this fraud?", "pool": "slow"}
        catalogue.put(connection, "main", "asks", asks, actor="key:1", live=True)
        quick = {"kind": "rule", "when": "amount > 9000.0"}
        catalogue.put(connection, "main", "quick", quick, actor="key:1", live=True)
    fraud.publish("rule.hit", subject="s0", payload={"event": {"event_id": "e1", "amount": 3.0}})
    fraud.publish("ruling.confirmed", subject="case-9")
    messages = fraud.rows("select * from messages order by message_id")
    process = processing(database, fraud.settings)
    assert process("main", "asks", messages, "k") == "2 of 2 given to pool slow"
    assert process("main", "asks", messages, "k") == "0 of 2 given to pool slow", "a repeat gives nothing twice"
    events = [row["input"]["event"] for row in fraud.rows("select input from rule_work order by work_id")]
    assert (events[0]["event_id"], events[1]["kind"]) == ("e1", "ruling.confirmed")
    for name in ("quick", "nothing"):
        with pytest.raises(Refused):
            process("main", name, messages, "k")


def test_a_topic_with_subscriptions_is_not_removed_by_accident(fraud: Post) -> None:
    fraud.put("subscription", "look", topic="fraud", target={"kind": "model", "name": "Why?"})
    with fraud.database.connection() as connection:
        change = Change(connection, ADMIN, fraud.settings, fraud.now)
        with pytest.raises(InUse, match="subscription look"):
            registry.remove(change, "alert_topics", "fraud")
        assert registry.remove(change, "alert_topics", "fraud", with_dependents=True) == ["subscription look"]
    assert fraud.count("subscriptions") == 0
