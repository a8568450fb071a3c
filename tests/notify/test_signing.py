"""A signature holds for its secret, time and body, for a while, and for nothing else."""

import hashlib
import hmac

from hypothesis import HealthCheck, given
from hypothesis import settings as run_settings
from hypothesis import strategies as st

from notify.signing import sign, verify

few = run_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

AT = 1_763_700_000
bodies, seconds = st.binary(max_size=200), st.integers(0, 2**33)
secrets = st.text(min_size=1, max_size=40).filter(str.isprintable)


def test_it_is_what_a_receiver_would_compute() -> None:
    body = b'{"kind":"case.opened"}'
    assert sign("s", AT, body) == hmac.new(b"s", b"1763700000." + body, hashlib.sha256).hexdigest()


@few
@given(secrets, seconds, bodies, st.floats(-300, 300))
def test_its_own_signature_holds_within_the_tolerance(secret: str, at: int, body: bytes, off: float) -> None:
    assert verify(secret, at, body, sign(secret, at, body), now=at + off * 0.999)
    assert verify(secret, at, body, "v1=" + sign(secret, at, body), now=at)


@few
@given(secrets, seconds, bodies, st.floats(300.5, 1e9), st.sampled_from([-1, 1]))
def test_an_old_or_future_one_does_not(secret: str, at: int, body: bytes, off: float, way: int) -> None:
    assert not verify(secret, at, body, sign(secret, at, body), now=at + way * off)


@few
@given(secrets, secrets, bodies, bodies, seconds, seconds)
def test_neither_does_another_secret_body_or_time(one: str, other: str, body: bytes, more: bytes, at: int, later: int) -> None:
    signature = sign(one, at, body)
    assert verify(other, later, more, signature, now=later) == ((one, at, body) == (other, later, more))


def test_nonsense_is_no_signature() -> None:
    for nonsense in ("", "v1=", "é", "00", "v1=" + "0" * 64):
        assert not verify("s", AT, b"{}", nonsense, now=AT)
