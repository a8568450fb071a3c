"""How a command is sent and how its answer is understood: a signed request that means the same however often it arrives.

Headers: `X-Conclave-Timestamp` (seconds since 1970), `X-Conclave-Signature` (`v1=` and the hex HMAC-SHA256 over timestamp, a dot
and the body), `Idempotency-Key` (the run: the command's id, with `-undo` for an undo; the same at every attempt).
"""

import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx

from notify.signing import KEY, SIGNATURE, TIMESTAMP, sign
from rag.items import canonical
from store.sections.desk import Desk

UNDO = {"block_account": "unblock_account", "step_up_auth": "end_step_up_auth", "hold_terminal": "release_terminal"}
MOST_BODY, SLOWEST_S = 4000, 20.0
LONGEST_WAIT = timedelta(minutes=10)
AGAIN = frozenset({408, 409, 423, 425, 429})  # 409: a receiver that still works on the same key answers so
Verdict = Literal["done", "again", "failed"]


@dataclass(frozen=True)
class Answer:
    """What came back: `status` None when nothing did, with why in `error`."""

    status: int | None
    body: str = ""
    error: str | None = None
    retry_after: str | None = None


def url(action: str, desk: Desk) -> str:
    """Where commands of an action go; empty when they are carried out by hand."""
    return {str(name): address for name, address in desk.webhook_urls.items()}.get(action, desk.webhook_url)


def sent(action: str, desk: Desk) -> bool:
    """Whether a command of this action is sent at all: it needs an address and a key to sign with."""
    return bool(url(action, desk)) and desk.webhook_secret is not None


def run_id(command_id: str, purpose: str) -> str:
    return command_id if purpose == "do" else f"{command_id}-undo"


def body(command: dict[str, Any], purpose: str, by: str, at: datetime) -> str:
    """What is sent: canonical JSON, made once and the same at every attempt."""
    action = command["action"] if purpose == "do" else UNDO[command["action"]]
    return canonical({
        "command_id": command["command_id"], "purpose": purpose, "action": action, "target": command["target"],
        "case_id": command["case_id"], "ruling_id": command["ruling_id"], "tenant": command["tenant"],
        "reason": command["reason"], "approved_by": by, "approved_at": at.astimezone(UTC).isoformat(),
    })  # fmt: skip


def headers(secret: str, key: str, content: bytes, now: datetime) -> dict[str, str]:
    stamp = int(now.timestamp())
    return {
        "Content-Type": "application/json", "User-Agent": "conclave", KEY: key, TIMESTAMP: str(stamp),
        SIGNATURE: f"v1={sign(secret, stamp, content)}",
    }  # fmt: skip


def send(client: httpx.Client, address: str, secret: str, key: str, content: str, now: datetime) -> Answer:
    """One attempt; never raises for what the other side or the network does."""
    raw, until = content.encode(), time.monotonic() + SLOWEST_S
    try:
        with client.stream("POST", address, content=raw, headers=headers(secret, key, raw, now)) as response:
            said = _beginning(response, until)
            return Answer(response.status_code, said, None, response.headers.get("retry-after"))
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        return Answer(None, "", f"{type(error).__name__}: {error}"[:300])


def _beginning(response: httpx.Response, until: float) -> str:
    """The first bytes of an answer as text that the database takes; what comes too slowly or beyond them is not read."""
    read = b""
    with contextlib.suppress(httpx.HTTPError, httpx.StreamError):  # the status is known: a broken body does not undo it
        for chunk in response.iter_bytes():
            read += chunk
            if len(read) >= MOST_BODY or time.monotonic() > until:
                break
    return read[:MOST_BODY].decode("utf-8", "replace").replace("\x00", "\ufffd")


def verdict(answer: Answer) -> Verdict:
    """2xx: done. No answer, 5xx and `AGAIN`: try again. Anything else, a redirect too, will not become right by repeating."""
    if answer.status is None or answer.status >= 500 or answer.status in AGAIN:
        return "again"
    return "done" if 200 <= answer.status < 300 else "failed"


def wait(attempt: int, answer: Answer, desk: Desk, now: datetime) -> timedelta:
    """How long before the next attempt: doubling, or as the receiver asks, ten minutes at most."""
    backoff = timedelta(seconds=min(desk.webhook_backoff_s * 2.0 ** min(attempt - 1, 30), LONGEST_WAIT.total_seconds()))
    return min(max(_asked(answer.retry_after, now), backoff), LONGEST_WAIT)


def _asked(retry_after: str | None, now: datetime) -> timedelta:
    """Retry-After, seconds or a date; zero when there is none or it is nonsense."""
    given = (retry_after or "").strip()
    if given.isascii() and given.isdigit():
        return timedelta(seconds=min(int(given[:9]), 86_400))
    try:
        return max(parsedate_to_datetime(given) - now, timedelta(0))
    except (ValueError, TypeError):
        return timedelta(0)
