"""What people think of anomalies and rulings: kept with who, when and a hash of what was shown."""

from hashlib import sha256
from typing import Any, Literal, get_args

from desk.errors import BadDetail, UnknownSubject
from desk.life import DISMISSED, RESOLVED
from rag.items import canonical
from store.database import Connection, Queries, fetch
from trust import audit
from trust.roles import Caller

About = Literal["anomaly", "ruling"]
Verdict = Literal["confirm", "dismiss"]
Via = Literal["page", "api", "graphql", "slack"]
REASONS = {**RESOLVED, **DISMISSED}
MOST_TEXT = 4000
ROW = dict[str, Any]


def give(
    connection: Connection, caller: Caller, *, about: About, subject_id: str, verdict: Verdict, via: Via,
    reason: str | None = None, comment: str = "", shown_hash: str | None = None,
) -> ROW:  # fmt: skip
    """Keep what somebody thinks of an anomaly or a ruling; the row. The newest of a person about a thing counts, all are kept.

    `shown_hash`: what the person saw, as `shown` gave it; without it the thing as it is now. One that does not match is kept too,
    with `stale` in the audit, since it is about what was seen. Raises UnknownSubject, BadDetail.
    """
    _checked(about, verdict, via, reason, comment)
    now = shown(connection, caller.tenant, about, subject_id)
    row = fetch(connection, "desk_put_feedback", tenant=caller.tenant, about=about, subject_id=subject_id, case_id=now["case_id"],
                verdict=verdict, reason=reason, comment=comment.replace("\x00", "").strip(), actor=caller.actor, name=caller.name,
                via=via, shown_hash=shown_hash or now["shown_hash"])[0]  # fmt: skip
    stale = shown_hash is not None and shown_hash != now["shown_hash"]
    detail = {"verdict": verdict, "reason": reason, "via": via, "case_id": now["case_id"], "stale": stale}
    audit.record(connection, caller.tenant, caller.actor, "feedback.give", f"{about}:{subject_id}", detail)
    return {**row, "stale": stale}


def _checked(about: str, verdict: str, via: str, reason: str | None, comment: str) -> None:
    for name, given, known in (("about", about, About), ("verdict", verdict, Verdict), ("via", via, Via)):
        if given not in get_args(known):
            raise BadDetail(name, f"one of {', '.join(get_args(known))}")
    if reason is not None and reason not in REASONS:
        raise BadDetail("reason", f"one of {', '.join(REASONS)}")
    if len(comment) > MOST_TEXT:
        raise BadDetail("comment", f"at most {MOST_TEXT} characters")


def shown(connection: Connection, tenant: str, about: About, subject_id: str) -> ROW:
    """What is shown of a thing: `case_id` and `shown_hash` (SHA-256 of its canonical JSON). Raises UnknownSubject."""
    rows = fetch(connection, f"desk_shown_{about}", tenant=tenant, subject_id=subject_id)
    if not rows:
        raise UnknownSubject(f"({about} {subject_id[:80]})")
    return {"case_id": rows[0]["case_id"], "shown_hash": sha256(canonical(rows[0]["shown"]).encode()).hexdigest()}


def on_case(connection: Connection, caller: Caller, case_id: str, *, verdict: Verdict, via: Via, **more: Any) -> ROW:
    """Feedback on the ruling in force on a case, by the case's id. Raises UnknownSubject."""
    rows = fetch(connection, "desk_ruling_of_case", tenant=caller.tenant, case_id=case_id)
    if not rows:
        raise UnknownSubject(f"(no ruling in force on {case_id[:80]})")
    return give(connection, caller, about="ruling", subject_id=rows[0]["ruling_id"], verdict=verdict, via=via, **more)


def given(
    queries: Queries, tenant: str, *, about: About | None = None, subject_id: str | None = None, case_id: str | None = None,
    after: int | None = None, limit: int = 100,
) -> list[ROW]:  # fmt: skip
    """Feedback, the newest first; `counts` is whether it is that person's newest about the thing."""
    return queries.fetch("desk_feedback", tenant=tenant, about=about, subject_id=subject_id, case_id=case_id, after=after,
                         limit=limit)  # fmt: skip
