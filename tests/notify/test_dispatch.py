"""From messages to what receivers got: routed, grouped, limited, every message accounted for."""

import json
from collections import Counter
from datetime import timedelta

from hook_receiver import Receiver
from post_office import START, Post

from notify.signing import verify


def test_a_case_reaches_its_channel_signed(post: Post, hook: Receiver) -> None:
    post.put("route", "all", channels=["hook"])
    post.publish(title="Card testing at account:1", payload={"root_cause": "12 small charges in 3 minutes"})
    post.run()
    assert hook.got == [], "it waits for others of its group"
    post.run(5)
    (got,) = hook.got
    assert verify("s3cret-of-the-hook", int(got.headers["x-conclave-timestamp"]), got.body, got.headers["x-conclave-signature"],
                  now=post.now.timestamp())  # fmt: skip
    said = got.json
    assert (said["title"], said["total"], said["case_id"]) == ("Card testing at account:1", 1, "case-1")
    assert said["lines"][0]["detail"] == "12 small charges in 3 minutes"
    assert said["link"] == "https://desk.example/case?case=case-1"
    assert post.rows("select state, attempts, status from deliveries") == [{"state": "sent", "attempts": 1, "status": 200}]


def test_a_storm_is_a_handful_that_accounts_for_all(post: Post, hook: Receiver) -> None:
    post.put("route", "cases", matchers=["topic=cases"], channels=["hook"])
    post.publish_many(10_000)
    post.run()
    post.run(5)
    assert len(hook.got) == 10
    said = [got.json for got in hook.got]
    assert sum(one["total"] for one in said) == 10_000
    for one in said:
        assert sum(kind["count"] for kind in one["kinds"]) == one["total"]
        assert sum(line["count"] for line in one["lines"]) + one["more"] == one["total"]
    kinds = Counter({"case.opened": 0})
    for one in said:
        kinds.update({kind["kind"]: kind["count"] for kind in one["kinds"]})
    assert kinds == {"case.opened": 9_000, "case.escalated": 1_000}
    rest = max(said, key=lambda one: one["total"])
    assert rest["title"] == f"9,991 messages: {rest['kinds'][0]['words']}, {rest['kinds'][1]['words']}"
    assert len(rest["lines"]) == 10
    assert len(rest["lines"]) + rest["more"] == 9_991
    post.run(3600)
    assert len(hook.got) == 10, "nothing is told twice"
    assert post.count("notices", "bundle_id is null") == 0


def test_a_storm_that_goes_on_stays_a_handful(post: Post, hook: Receiver) -> None:
    post.put("route", "cases", channels=["hook"])
    for minute in range(6):
        for number in range(15):
            post.publish(subject=f"case-{minute}-{number}", entity=f"account:{number}")
        post.run(60)
    post.run(5)
    post.run(3600)
    assert sum(got.json["total"] for got in hook.got) == 90
    assert len(hook.got) <= 6 * 10


def test_routes_are_asked_in_order_and_only_the_first_unless_it_goes_on(post: Post, hook: Receiver) -> None:
    post.put("channel", "other", kind="table")
    post.put("route", "grave", matchers=["severity>=0.8"], channels=["hook"], go_on=True)
    post.put("route", "cases", matchers=["kind~case.*"], channels=["other"])
    post.put("route", "rest", channels=["hook"])
    for kind, severity in (("case.opened", 0.9), ("case.opened", 0.1), ("schedule.failed", 0.5)):
        post.publish(kind, subject=f"{kind} {severity}", severity=severity)
    post.run()
    post.run(5)
    found = post.rows("select m.kind, m.severity, n.route_id from notices n join messages m using (message_id) order by 2, 3")
    assert [(row["severity"], row["route_id"]) for row in found] == [
        (0.1, "cases"),
        (0.5, "rest"),
        (0.9, "cases"),
        (0.9, "grave"),
    ]
    assert Counter(row["channel_id"] for row in post.rows("select channel_id from deliveries")) == {"hook": 2, "other": 2}


def test_a_group_leaves_together_and_repeats_are_counted(post: Post, hook: Receiver) -> None:
    post.put("route", "all", channels=["hook"], group_by=["entity"])
    for subject in ("case-1", "case-2", "case-1"):
        post.publish("case.grown", subject=subject, title=f"{subject} grew", dedupe_key=f"{subject} {post.now}")
        post.run(1)
    post.run(5)
    (got,) = hook.got
    assert {line["title"]: line["count"] for line in got.json["lines"]} == {"case-1 grew": 2, "case-2 grew": 1}
    assert got.json["title"] == "3 times a case grew about account:1"


def test_a_quarrelsome_entity_is_told_of_so_often_and_then_counted(post: Post, hook: Receiver) -> None:
    post.put("route", "all", channels=["hook"], per_entity={"count": 2, "per_s": 3600}, group_wait_s=0)
    for number in range(10):
        post.publish(subject=f"case-{number}")
        post.run(60)
    assert [got.json["total"] for got in hook.got] == [1, 1]
    post.run(3600)
    assert sorted(got.json["total"] for got in hook.got) == [1, 1, 1, 1, 6], "two may be told alone again, the others with them"
    assert sum(got.json["total"] for got in hook.got) == 10


def test_rate_limits_leave_no_rows_behind(post: Post, hook: Receiver) -> None:
    post.put("route", "all", channels=["hook"])
    post.publish_many(500)
    post.run()
    post.run(5)
    assert 0 < post.count("rate_limits") <= 1501
    post.run(2 * 3600)
    assert post.count("rate_limits") == 0


def test_limits_remember_at_most_so_many_keys(post_with, receiver: Receiver, monkeypatch) -> None:
    post = post_with(rate_keys=50)
    monkeypatch.setenv("NOTIFY_HOOK", "s3cret-of-the-hook")
    post.put("channel", "hook", kind="webhook", url=receiver.url, secret="env:NOTIFY_HOOK")
    post.put("route", "all", channels=["hook"])
    post.publish_many(500)
    post.run()
    post.run(5)
    assert post.count("rate_limits") == 50
    assert post.count("rate_limits", "key = 'route'") == 1
    assert sum(got.json["total"] for got in receiver.got) == 500


def test_two_tenants_never_meet(post: Post, hook: Receiver) -> None:
    post.put("route", "all", channels=["hook"])
    post.publish(tenant="other", subject="case-of-other")
    post.publish()
    post.run()
    post.run(5)
    assert [got.json["case_id"] for got in hook.got] == ["case-1"]
    assert post.count("messages", "dispatched_at is null") == 0


def test_a_removed_route_says_so_in_the_log(post: Post, hook: Receiver) -> None:
    post.put("route", "all", channels=["hook"])
    post.publish()
    post.run()
    post.rows("delete from routes returning 1")
    post.run(5)
    assert post.rows("select state, error from deliveries") == [
        {"state": "skipped", "error": "The route or subscription was removed while this waited."}
    ]


def test_old_rows_go(post: Post, hook: Receiver) -> None:
    post.put("route", "all", channels=["hook"])
    with post.database.connection() as connection:
        connection.execute("update messages set created_at = %s", [START - timedelta(days=1)])
    post.publish()
    post.rows(f"update messages set created_at = '{START.isoformat()}' returning 1")
    post.run()
    post.run(5)
    assert json.loads(hook.got[0].body)["total"] == 1
    post.run(91 * 86_400)
    assert [post.count(table) for table in ("messages", "notices", "bundles", "deliveries", "delivery_attempts")] == [0] * 5
