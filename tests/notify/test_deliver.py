"""Deliveries: tried again with growing pauses, given up, sent again by hand; nothing lost and nothing twice, whoever dies."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hook_receiver import Got, Receiver
from hypothesis import HealthCheck, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st
from post_office import Post

from notify import deliver, sent
from notify.deliver import pause
from notify.errors import NotReplayable
from store.sections.notify import Notify
from trust.roles import Caller, Role

few = run_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

ANALYST = Caller("main", "key:1", "Ann", Role.analyst)


@pytest.fixture
def told(post: Post, hook: Receiver) -> Post:
    """One message on its way to the hook."""
    post.put("route", "all", matchers=["topic=cases"], channels=["hook"], group_wait_s=0)
    post.publish()
    return post


def row(post: Post) -> dict[str, Any]:
    return post.rows(
        "select state, attempts, status, error, not_before, replays from deliveries where channel_id = 'hook' limit 1"
    )[0]


def test_a_busy_receiver_is_asked_again_later_with_the_same_key(told: Post, hook: Receiver) -> None:
    hook.answers = [(503, {}, "busy"), (429, {"Retry-After": "60"}, ""), (500, {}, "")]
    told.run()
    assert (row(told)["state"], row(told)["status"], len(hook.got)) == ("waiting", 503, 1)
    assert 4 <= (row(told)["not_before"] - told.now).total_seconds() <= 30, "5 s, jitter, and what the attempt took"
    told.run(30)
    assert (row(told)["not_before"] - told.now).total_seconds() >= 60
    told.run(59)
    assert len(hook.got) == 2
    told.run(30)
    told.run(60)
    assert (row(told)["state"], row(told)["attempts"]) == ("sent", 4)
    assert len({got.headers["idempotency-key"] for got in hook.got}) == 1
    assert len({got.headers["x-conclave-signature"] for got in hook.got}) == 4, "signed anew"
    assert [one["outcome"] for one in told.rows("select outcome from delivery_attempts order by attempt")] == ["again"] * 3 + [
        "sent"
    ]


def test_a_refusal_is_a_dead_letter_at_once_and_somebody_is_told(told: Post, hook: Receiver) -> None:
    told.put("channel", "log", kind="table")
    told.put("route", "system", matchers=["topic=system"], channels=["log"], group_wait_s=0)
    told.rows("update routes set position = 1 where route_id = 'system' returning 1")
    hook.answers = [(400, {}, "no such field")]
    told.run()
    assert (row(told)["state"], row(told)["status"], len(hook.got)) == ("dead", 400, 1)
    assert "no such field" in row(told)["error"]
    (news,) = told.rows("select kind, title from messages where topic = 'system'")
    assert (news["kind"], news["title"]) == ("delivery.dead", "Messages could not be delivered to channel hook")
    assert told.count("deliveries", "channel_id = 'log' and state = 'sent'") == 1


def test_dead_letters_go_round_again_under_a_new_key(told: Post, hook: Receiver) -> None:
    hook.answers = [(400, {}, "")]
    told.run()
    with told.database.connection() as connection:
        assert sent.replay_dead(connection, ANALYST, "hook", told.now) == 1
    told.run()
    assert (row(told)["state"], row(told)["replays"], len(hook.got)) == ("sent", 1, 2)
    assert hook.got[0].headers["idempotency-key"] + "-r1" == hook.got[1].headers["idempotency-key"]
    assert hook.got[0].json == hook.got[1].json


def test_what_is_under_way_cannot_be_sent_again(told: Post, hook: Receiver) -> None:
    hook.answers = [(503, {}, "")]
    told.run()
    (found,) = told.rows("select delivery_id from deliveries")
    with pytest.raises(NotReplayable), told.database.connection() as connection:
        sent.replay(connection, ANALYST, found["delivery_id"], told.now)


def test_it_is_given_up_after_so_many_attempts(told: Post, hook: Receiver) -> None:
    hook.answers = [(503, {}, "")] * 50
    told.run()
    for _ in range(20):
        told.run(3600)
    assert (row(told)["state"], row(told)["attempts"], len(hook.got)) == ("dead", 8, 8)


def test_redirects_are_not_followed(told: Post, hook: Receiver) -> None:
    hook.answers = [(302, {"Location": "http://169.254.169.254/"}, "")]
    told.run()
    assert (row(told)["state"], row(told)["status"]) == ("dead", 302)


def test_news_of_undelivered_news_is_not_told_of(post: Post, hook: Receiver) -> None:
    post.put("route", "all", channels=["hook"], group_wait_s=0)
    hook.answers = [(400, {}, "")] * 10
    post.publish()
    post.run(1)
    post.run(1)
    assert post.count("messages", "kind = 'delivery.dead'") == 1


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


@pytest.mark.parametrize("when", ["before it was sent", "after it was sent"])
def test_a_sender_that_dies_loses_nothing(told: Post, hook: Receiver, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    real = deliver.send

    def dying(*given: object) -> object:
        if when == "after it was sent":
            real(*given)  # type: ignore[arg-type]
        raise Killed

    monkeypatch.setattr(deliver, "send", dying)
    with pytest.raises(Killed):
        told.run()
    monkeypatch.setattr(deliver, "send", real)
    told.run(100)
    assert row(told)["state"] == "sending", "the lease is not over yet"
    told.run(21)
    assert (row(told)["state"], row(told)["attempts"]) == ("sent", 2)
    assert len({got.headers["idempotency-key"] for got in hook.got}) == 1
    told.run(3600)
    assert len(hook.got) == (1 if when == "before it was sent" else 2)


def test_a_sender_thought_dead_does_not_overwrite_the_one_that_took_over(told: Post, hook: Receiver) -> None:
    other = Post(told.database, told.settings, told.now + timedelta(seconds=121))

    def taken_over(got: Got) -> None:
        hook.before = lambda got: None
        told.rows(
            "update deliveries set leased_by = 'another', attempts = attempts + 1, state = 'sent', status = 202 returning 1"
        )

    hook.before = taken_over
    told.run()
    assert (row(other)["state"], row(other)["status"]) == ("sent", 202)


def test_messages_matched_in_a_transaction_that_is_undone_are_matched_again(
    told: Post, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from notify import match

    real = match.run

    def dying(connection: object, name: str, /, **given: object) -> object:
        if name == "notify_mark_dispatched":
            raise Killed
        return real(connection, name, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(match, "run", dying)
    with pytest.raises(Killed):
        told.step()
    assert told.count("notices") == 0
    monkeypatch.setattr(match, "run", real)
    told.run()
    assert len(hook.got) == 1


@pytest.mark.process
def test_a_killed_dispatcher(told: Post, hook: Receiver, database_url: str, tmp_path: Path) -> None:
    """A real process, ended by SIGKILL while the receiver holds its request; two others finish its work."""
    for number in range(20):
        told.publish(subject=f"case-{number}", dedupe_key=str(number))
    environment = {
        "PATH": os.environ["PATH"], "NOTIFY_HOOK": "s3cret",
        "CONCLAVE_DATABASE_URL": database_url, "CONCLAVE_HOME": str(tmp_path),
        "CONCLAVE_NOTIFY__LEASE_S": "1", "CONCLAVE_NOTIFY__TIMEOUT_S": "0.5",
    }  # fmt: skip

    def begin() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "cli.app", "operate", "--only", "notify", "--once"]
        return subprocess.Popen(command, env=environment, cwd=Path(__file__).parents[2])

    victim = begin()
    hook.before = lambda got: os.kill(victim.pid, signal.SIGKILL) if len(hook.got) == 3 else None
    assert victim.wait(60) == -signal.SIGKILL
    hook.before = lambda got: None
    told.rows("update deliveries set leased_until = '-infinity' where state = 'sending' returning 1")  # its lease runs out
    others = [begin(), begin()]
    assert [other.wait(60) for other in others] == [0, 0]
    by_key: dict[str, list[Got]] = {}
    for got in hook.got:
        by_key.setdefault(got.headers["idempotency-key"], []).append(got)
    assert sum(same[0].json["total"] for same in by_key.values()) == 21
    assert all(one.json == same[0].json for same in by_key.values() for one in same)
    assert told.count("deliveries", "state <> 'sent'") == 0
    assert len(hook.got) - len(by_key) <= 4, "only what the victim had in its hands may have come twice"


@few
@given(st.text(min_size=1, max_size=24), st.integers(1, 100), st.none() | st.floats(0, 1e6))
def test_pauses_grow_are_bounded_and_need_no_chance(delivery_id: str, attempt: int, wanted: float | None) -> None:
    settings = Notify()
    found = pause(delivery_id, attempt, settings, wanted)
    assert found == pause(delivery_id, attempt, settings, wanted)
    doubled = min(settings.backoff_s * 2 ** (attempt - 1), settings.backoff_max_s)
    assert found >= min(wanted or 0, settings.backoff_max_s)
    assert 0.8 * doubled <= found <= max(1.2 * doubled, settings.backoff_max_s)
