"""Slack's button callbacks: who pressed what, proven by Slack's v0 signature, and what follows from it."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from urllib.parse import parse_qs

from desk import cases, feedback
from desk.errors import BadDetail, NotKnownHere, NotPossible, NotSigned
from store.database import Tenant
from store.sections.desk import Desk
from trust.roles import Caller, Role

TOLERANCE_S = 300
VERBS = ("acknowledge", "confirm", "dismiss")


@dataclass(frozen=True)
class Pressed:
    """A button that somebody pressed: Slack's user id and name, the case and the verb of the button's value."""

    user: str
    name: str
    case_id: str
    verb: str


def check(secret: str, timestamp: str, body: bytes, signature: str, now: float) -> None:
    """Verify Slack's `v0=` signature over `v0:timestamp:body`, at most five minutes old. Raises NotSigned."""
    if not (timestamp.isascii() and timestamp.isdigit()) or abs(now - int(timestamp[:12])) > TOLERANCE_S:
        raise NotSigned("(the timestamp is missing or too old)")
    wanted = "v0=" + hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace")):
        raise NotSigned()


def pressed(body: bytes) -> Pressed:
    """What a callback's form says. Raises BadDetail."""
    try:
        payload = json.loads(parse_qs(body.decode(), strict_parsing=True, max_num_fields=20)["payload"][0])
        value = json.loads(payload["actions"][0]["value"])
        user = payload["user"]
        name = user.get("name") or user.get("username") or ""
        found = Pressed(*(str(given).replace("\x00", "")[:200] for given in (user["id"], name, value["case_id"], value["verb"])))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise BadDetail("payload", "a block_actions payload of one of our buttons") from None
    if found.verb not in VERBS:
        raise BadDetail("verb", f"one of {', '.join(VERBS)}")
    return found


def press(view: Tenant, one: Pressed, desk: Desk) -> str:
    """Do what the button says, to the case as it is now; what was done, in words. Raises NotKnownHere and the desk's errors.

    A person who presses has no version in hand, so a case that was merged meanwhile stands for its head.
    """
    if one.user not in desk.slack_users:
        raise NotKnownHere(f"({one.user})")
    caller = Caller(view.tenant, f"slack:{one.user}", desk.slack_users[one.user], Role.analyst)
    if one.verb != "acknowledge":
        with view.connection() as connection:
            feedback.on_case(
                connection, caller, one.case_id, verdict="confirm" if one.verb == "confirm" else "dismiss", via="slack"
            )
        return f"{caller.name}: noted that this is {'right' if one.verb == 'confirm' else 'wrong'}."
    head = cases.head_of(view, view.tenant, one.case_id)
    with view.connection() as connection:
        version = cases.case_in(connection, view.tenant, head, members=0)["version"]
        try:
            cases.act(connection, caller, head, version, "acknowledge", desk=desk)
        except NotPossible as error:
            return f"{caller.name}: {error}"
    return f"{caller.name} looks at it now."
