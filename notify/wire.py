"""HTTP to receivers: to judged addresses only, no redirects, one deadline, and what an answer's status means."""

import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore
import httpx

from notify.addresses import Reach
from notify.errors import Again, Refused

KEPT = 2000
LATER = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Receipt:
    """What the receiver said."""

    status: int | None = None
    answer: str = ""


class JudgedNetwork(httpcore.SyncBackend):
    """Connects to the very address that was judged; TLS still checks the name."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        address = self.reach.resolve(host, port)
        return super().connect_tcp(address, port, timeout, local_address, socket_options)


class Judged(httpx.BaseTransport):
    """A transport of httpx over a JudgedNetwork; environment proxies are not asked, since they would look names up themselves."""

    def __init__(self, reach: Reach) -> None:
        inner = httpx.HTTPTransport(trust_env=False)
        inner._pool = httpcore.ConnectionPool(ssl_context=ssl.create_default_context(), network_backend=JudgedNetwork(reach))
        self.inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.inner.handle_request(request)

    def close(self) -> None:
        self.inner.close()


def post(
    url: str, body: bytes, headers: Mapping[str, str], reach: Reach, timeout_s: float, *, expected: frozenset[int] = frozenset()
) -> Receipt:
    """Send a body of JSON; the receipt of an answer of 200 to 299 (or `expected`).

    Raises Again (no answer, or a status that may pass), Refused (any other), AddressForbidden, AddressUnknown. None of them holds
    the address, which may be a secret.
    """
    reach.check(url)
    deadline, transport = time.monotonic() + timeout_s, Judged(reach)
    try:
        response = transport.handle_request(_request(url, body, headers, timeout_s))  # a client of httpx would log the address
        try:
            return judged(response.status_code, _beginning(response, deadline), response.headers.get("retry-after"), expected)
        finally:
            response.close()
    except httpx.TimeoutException as error:
        raise Again(f"(no answer within {timeout_s:g} s)") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise Again(f"({type(error).__name__})") from error
    finally:
        transport.close()


def _request(url: str, body: bytes, headers: Mapping[str, str], timeout_s: float) -> httpx.Request:
    named = {"Content-Type": "application/json", "User-Agent": "conclave", **headers}
    return httpx.Request("POST", url, content=body, headers=named, extensions={"timeout": httpx.Timeout(timeout_s).as_dict()})


def judged(status: int, answer: str, retry_after: str | None, expected: frozenset[int] = frozenset()) -> Receipt:
    """What a status means for the delivery."""
    if 200 <= status < 300 or status in expected:
        return Receipt(status, answer)
    said = f"(status {status}{': ' + answer[:200] if answer else ''})"
    if status in LATER:
        raise Again(said, status=status, after_s=seconds(retry_after, datetime.now(UTC)))
    raise Refused(said, status=status)


def seconds(retry_after: str | None, now: datetime) -> float | None:
    """A Retry-After header in seconds, which may be a number or a date.

    >>> seconds("120", datetime(2026, 1, 1, tzinfo=UTC)), seconds("soon", datetime(2026, 1, 1, tzinfo=UTC))
    (120.0, None)
    """
    if retry_after is None:
        return None
    if retry_after.strip().isascii() and retry_after.strip().isdigit():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
        return max(0.0, (at - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _beginning(response: httpx.Response, deadline: float) -> str:
    """The answer's first bytes; a receiver that never ends is not waited for."""
    read = b""
    for chunk in response.iter_bytes(1024):
        read += chunk
        if len(read) >= KEPT or time.monotonic() > deadline:
            break
    return read[:KEPT].decode("utf-8", "replace").strip()
