"""Incidents elsewhere follow our cases: opened once, acknowledged, resolved with the last of their cases; all in their form."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hook_receiver import Receiver
from jsonschema import Draft202012Validator
from post_office import Post

SCHEMAS = Path(__file__).parent / "schemas"


def check(name: str, payload: Any) -> None:
    Draft202012Validator(json.loads((SCHEMAS / f"{name}.json").read_text())).validate(payload)


@pytest.fixture
def pager(post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Post:
    monkeypatch.setenv("NOTIFY_PAGER", "R0UTINGKEY")
    post.put("channel", "pager", kind="pagerduty", routing_key="env:NOTIFY_PAGER", url=receiver.url)
    post.put("route", "pages", matchers=["kind~case.opened|case.reopened"], channels=["pager"], group_wait_s=5)
    return post


def events(receiver: Receiver) -> list[tuple[str, str]]:
    for got in receiver.got:
        check("pagerduty", got.json)
    return [(got.json["event_action"], got.json["dedup_key"]) for got in receiver.got]


def test_a_case_opens_acknowledges_and_resolves_one_incident(pager: Post, receiver: Receiver) -> None:
    pager.publish()
    pager.run()
    pager.run(5)
    for kind in ("case.acknowledged", "case.resolved"):
        pager.publish(kind)
        pager.run(1)
    key = "conclave/main/case-1"
    assert events(receiver) == [("trigger", key), ("acknowledge", key), ("resolve", key)]
    assert receiver.got[0].json["routing_key"] == "R0UTINGKEY"
    pager.publish("case.resolved", dedupe_key="again")
    pager.run(1)
    assert len(receiver.got) == 3, "it is resolved once"
    pager.publish("case.reopened")
    pager.run(1)
    pager.run(60)
    pager.publish("case.resolved", dedupe_key="third")
    pager.run(1)
    assert events(receiver)[3:] == [("trigger", key), ("resolve", key)]


def test_an_incident_of_many_cases_ends_with_the_last(pager: Post, receiver: Receiver) -> None:
    for number in range(30):
        pager.publish(subject=f"case-{number}", entity=f"account:{number}")
    pager.run()
    pager.run(5)
    opened = events(receiver)
    assert len(opened) == 10
    shared = receiver.got[[got.json["payload"]["custom_details"]["total"] for got in receiver.got].index(21)].json["dedup_key"]
    for number in range(29):
        pager.publish("case.resolved" if number % 2 else "case.acknowledged", subject=f"case-{number}")
    pager.run(1)
    assert ("resolve", shared) not in events(receiver)
    assert ("acknowledge", shared) not in events(receiver), "the last is still open"
    pager.publish("case.resolved", subject="case-29")
    pager.run(1)
    assert ("resolve", shared) not in events(receiver), "some are only acknowledged"
    for number in range(0, 29, 2):
        pager.publish("case.dismissed", subject=f"case-{number}")
    pager.run(1)
    assert events(receiver).count(("resolve", shared)) == 1
    assert pager.count("alarms", "state <> 'closed'") == 0
    assert {key for action, key in events(receiver) if action == "resolve"} == {key for _, key in opened}


def test_what_was_resolved_before_it_was_told_opens_nothing(pager: Post, receiver: Receiver) -> None:
    pager.publish()
    pager.publish("case.resolved")
    pager.run()
    pager.run(5)
    assert receiver.got == []
    assert pager.rows("select state, error from deliveries") == [
        {"state": "skipped", "error": "It was resolved before this could be sent."}
    ]


def test_an_incident_is_never_resolved_before_it_is_opened(pager: Post, receiver: Receiver) -> None:
    receiver.answers = [(503, {}, "")]
    pager.publish()
    pager.run()
    pager.run(5)
    pager.publish("case.resolved")
    pager.run(1)
    assert [action for action, _ in events(receiver)] == ["trigger"], "the one that failed"
    pager.run(60)
    assert [action for action, _ in events(receiver)] == ["trigger", "trigger", "resolve"]


def test_a_model_alert_ends_by_its_state(pager: Post, receiver: Receiver) -> None:
    pager.put("route", "llm", matchers=["kind=llm.alert"], channels=["pager"], group_wait_s=0)
    pager.publish("llm.alert", subject="firing-1", payload={"state": "open"})
    pager.run()
    pager.publish("llm.alert", subject="firing-1", payload={"state": "resolved"}, dedupe_key="over")
    pager.run(61)
    assert [action for action, _ in events(receiver)] == ["trigger", "resolve"]


def test_the_test_button_leaves_no_incident(pager: Post, receiver: Receiver) -> None:
    from post_office import ADMIN

    from notify import loop, sent
    from notify.targets import Targets

    outcome = sent.try_channel(pager.database, ADMIN, "pager", pager.settings, loop.tools(pager.settings, Targets()), pager.now)
    assert (outcome.state, [action for action, _ in events(receiver)]) == ("sent", ["trigger", "resolve"])
    assert len({key for _, key in events(receiver)}) == 1


def test_opsgenie_gets_a_key_an_alias_and_is_closed(post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_GENIE", "geniekey-123")
    post.put("channel", "genie", kind="opsgenie", api_key="env:NOTIFY_GENIE", url=receiver.url)
    post.put("route", "all", matchers=["kind=case.opened"], channels=["genie"], group_wait_s=0)
    receiver.answers = [(202, {}, "{}"), (202, {}, "{}"), (404, {}, "{}")]
    post.publish()
    post.run()
    for kind in ("case.acknowledged", "case.resolved"):
        post.publish(kind)
        post.run(1)
    created, acknowledged, closed = receiver.got
    check("opsgenie_create", created.json)
    check("opsgenie_change", acknowledged.json)
    check("opsgenie_change", closed.json)
    assert created.headers["authorization"] == "GenieKey geniekey-123"
    assert created.json["alias"] == "conclave/main/case-1"
    assert acknowledged.path == "/v2/alerts/conclave%2Fmain%2Fcase-1/acknowledge?identifierType=alias"
    assert closed.path == "/v2/alerts/conclave%2Fmain%2Fcase-1/close?identifierType=alias"
    assert post.count("deliveries", "state = 'sent'") == 3, "what is not there need not be closed"


def test_alertmanager_gets_the_same_labels_and_an_end(post: Post, receiver: Receiver) -> None:
    post.put("channel", "am", kind="alertmanager", url=receiver.url)
    post.put("route", "all", matchers=["kind=case.opened"], channels=["am"], group_wait_s=0)
    post.publish()
    post.run()
    for kind in ("case.acknowledged", "case.resolved"):
        post.publish(kind)
        post.run(1)
    fired, resolved = receiver.got
    for got in (fired, resolved):
        assert got.path == "/api/v2/alerts"
        check("alertmanager", got.json)
    assert fired.json[0]["labels"] == resolved.json[0]["labels"] == {"alertname": "Conclave", "incident": "conclave/main/case-1"}
    assert resolved.json[0]["endsAt"] == "2026-03-01T12:00:02.000Z"
    assert fired.json[0]["endsAt"] == "2026-03-02T12:00:00.000Z"
    assert post.count("deliveries", "state = 'sent'") == 3


def test_slack_gets_blocks_and_nothing_keeps_its_address(
    post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("NOTIFY_SLACK", receiver.url + "/services/T0/B0/secret-part")
    post.put("channel", "slack", kind="slack", url="env:NOTIFY_SLACK")
    post.put("route", "all", channels=["slack"], group_wait_s=0)
    receiver.answers = [(500, {}, f"cannot take {receiver.url}/services/T0/B0/secret-part"), (200, {}, "ok")]
    post.publish(title="<!channel> pay *now*")
    post.run()
    post.run(10)
    first, again = receiver.got
    check("slack", first.json)
    assert first.path == "/services/T0/B0/secret-part"
    assert first.body == again.body
    for table in ("channels", "deliveries", "delivery_attempts", "bundles", "messages", "audit_log"):
        assert "secret-part" not in json.dumps(post.rows(f"select * from {table}"), default=str), table
    assert "secret-part" not in caplog.text


def test_a_sending_after_a_death_says_that_it_may_be_a_repeat(
    post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SLACK", receiver.url)
    post.put("channel", "slack", kind="slack", url="env:NOTIFY_SLACK")
    post.put("route", "all", channels=["slack"], group_wait_s=0)
    post.publish()
    post.run()
    post.rows("update deliveries set state = 'sending', leased_by = 'dead', leased_until = '-infinity' returning 1")
    post.run(1)
    said: Callable[[int], str] = lambda index: json.dumps(receiver.got[index].json)  # noqa: E731
    assert ("Sent again" in said(0), "Sent again" in said(1)) == (False, True)
