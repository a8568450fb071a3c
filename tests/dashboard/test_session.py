"""Sessions of browsers: whose they are, when they end, and that a token is not kept as it is."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dashboard import session
from dashboard.session import MOST, Sessions

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def opened() -> Sessions:
    return Sessions(timedelta(hours=12))


def test_a_token_leads_to_its_key_until_it_is_closed() -> None:
    kept = opened()
    one, other = kept.open("key-one", NOON), kept.open("key-two", NOON)
    assert (kept.key(one, NOON), kept.key(other, NOON)) == ("key-one", "key-two")
    kept.close(one)
    assert (kept.key(one, NOON), kept.key(other, NOON)) == (None, "key-two")


@given(st.lists(st.integers(1, 12 * 3600), max_size=20), st.integers(1, 10_000))
def test_a_session_lives_while_it_is_used_and_ends_after_silence(steps: list[int], late: int) -> None:
    kept, at = opened(), NOON
    token = kept.open("key", at)
    for step in steps:
        at += timedelta(seconds=step)
        assert kept.key(token, at) == "key"
    assert kept.key(token, at + timedelta(hours=12, seconds=late)) is None
    assert kept.key(token, at) is None, "what is over stays over"


@given(st.text())
def test_an_invented_token_leads_nowhere(token: str) -> None:
    kept = opened()
    kept.open("key", NOON)
    assert kept.key(token, NOON) is None


def test_the_memory_holds_no_token_and_no_more_than_so_many_sessions() -> None:
    kept = opened()
    first = kept.open("first", NOON)
    assert first not in repr(kept._kept)
    for place in range(MOST):
        kept.open(f"key-{place}", NOON + timedelta(seconds=1 + place))
    assert len(kept._kept) == MOST
    assert kept.key(first, NOON + timedelta(seconds=MOST)) is None


def test_the_cookie_cannot_be_sent_by_another_site_and_is_secure_over_https() -> None:
    plain, secure = session.put_cookie("abc", 12, False), session.put_cookie("abc", 12, True)
    assert "SameSite=Strict" in plain
    assert "Max-Age=43200" in plain
    assert "Secure" not in plain
    assert "; Secure" in secure
    assert "Max-Age=0" in session.drop_cookie(False)
