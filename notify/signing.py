"""Signatures of what leaves through webhooks: the receiver can tell that it is ours, whole, and not an old one sent again."""

import hashlib
import hmac

SIGNATURE, TIMESTAMP, KEY = "X-Conclave-Signature", "X-Conclave-Timestamp", "Idempotency-Key"
"""Headers of a signed request: `v1=HEX`, seconds since 1970, and the same key each time the same message is sent."""


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 as hex over `{timestamp}.` and the body; `timestamp` in seconds since 1970.

    >>> sign("s3cret", 1_700_000_000, b"{}")[:16]
    '97926816e98fbb41'
    """
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def verify(secret: str, timestamp: int, body: bytes, signature: str, now: float, tolerance_s: float = 300) -> bool:
    """Whether `signature` (hex, or `v1=` and hex) is ours and at most `tolerance_s` seconds away from `now`; in constant time.

    >>> verify("s3cret", 1_700_000_000, b"{}", sign("s3cret", 1_700_000_000, b"{}"), now=1_700_000_100)
    True
    """
    expected = sign(secret, timestamp, body).encode()
    same = hmac.compare_digest(expected, signature.removeprefix("v1=").encode("utf-8", "replace"))
    return same and abs(now - timestamp) <= tolerance_s
