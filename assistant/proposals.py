"""Proposed runbook sections: drafted from resolved cases, polished when a model is there, used once a person accepted them."""

import hashlib
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assistant import prompting, record
from assistant.draft import Draft, draft, polished
from assistant.errors import NotResolved, ProposalChanged, ProposalDecided, UnknownProposal
from assistant.lookups import Asking
from assistant.voice import Voice
from rag import quoting
from rag.errors import NoAnswer
from rag.runbook import Text, add_text
from rag.sections import slug_of
from store.database import Connection, Queries, fetch, run
from trust import audit
from trust.roles import Caller

Row = dict[str, Any]
OPEN = ("open", "acknowledged", "investigating")
TITLE_CAP, BODY_CAP = 160, 20_000
SYSTEM = "system:assistant"


class Wording(BaseModel):
    """A model's wording of one line."""

    model_config = ConfigDict(extra="forbid")

    index: int = Field(ge=0, le=200)
    text: str = Field(max_length=800)


class Polish(BaseModel):
    """A model's wording of a draft."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(max_length=200)
    summary: str = Field(max_length=1_500)
    items: list[Wording] = Field(max_length=200)


def propose(asking: Asking, actor: str, case_id: str, voice: Voice | None, why: str = "") -> Row:
    """Draft a section from a case; the proposal there already is given back as it is. Raises NotResolved."""
    case = _case(asking, case_id)
    one = draft(case, asking.fetch("proposal_timeline", case_id=case_id))
    proposal_id = "proposal-" + hashlib.sha256(f"{case_id}\0{case['ruling_id']}".encode()).hexdigest()[:20]
    if known := asking.fetch("proposal", proposal_id=proposal_id):
        return known[0]
    drafted_by, why = "rules", why or "No model was asked."
    if voice is not None:
        one, drafted_by, why = polish(asking, one, voice)
    sources = {"case_id": case_id, "ruling_id": case["ruling_id"], "outcome": case["outcome"], "confidence": case["confidence"]}
    row = {"proposal_id": proposal_id, "case_id": case_id, "ruling_id": case["ruling_id"], "title": one.title[:TITLE_CAP],
           "tags": list(one.tags), "body": one.body, "draft": one.body, "drafted_by": drafted_by, "why": why,
           "sources": sources}  # fmt: skip
    with asking.database.connection() as connection:
        fresh = run(connection, "put_proposal", tenant=asking.tenant, **row, actor=actor, now=asking.now)
        if fresh:
            audit.record(connection, asking.tenant, actor, "proposal.make", proposal_id, {"case": case_id})
    return one_of(asking.database, asking.tenant, proposal_id)


def _case(asking: Asking, case_id: str) -> Row:
    rows = asking.fetch("proposal_case", case_id=case_id.replace("\0", ""))
    if not rows:
        raise NotResolved(f"({quoting.name(case_id)}: no ruling is in force)")
    case = rows[0]
    if case["status"] in OPEN:
        raise NotResolved(f"({quoting.name(case_id)} is {case['status']})")
    if case["status"] is None and case["outcome"] == "unresolved":
        raise NotResolved(f"({quoting.name(case_id)} is unresolved)")
    return case


def propose_new(
    asking: Asking, voice: Voice | None, *, limit: int = 20, since: datetime | None = None, why: str = ""
) -> list[Row]:
    """Draft a section from every resolved case that has none yet, the oldest first."""
    cases = asking.fetch("unproposed_cases", limit=limit, since=since)
    return [propose(asking, SYSTEM, row["case_id"], voice, why) for row in cases]


def polish(asking: Asking, one: Draft, voice: Voice) -> tuple[Draft, str, str]:
    """The draft in a model's words where they say nothing new; who drafted it, and why not the other."""
    if why := voice.take():
        return one, "rules", f"No model spoke ({why})."
    numbered = "\n".join([f"title: {one.title}", f"summary: {one.summary}",
                          *(f"{place} ({item.part}): {item.text}" for place, item in enumerate(one.items))])  # fmt: skip
    quoted = "\n".join(quoting.quote(line, 600) for line in numbered.split("\n"))
    messages = [{"role": "user", "content": prompting.fill("polish", draft=quoted)}]
    call: Row = {"called": voice.name, "prompt_hash": prompting.hash_of(messages)}
    started = time.monotonic()
    try:
        reply = voice.ask(messages, Polish.model_json_schema())
        said = Polish.model_validate_json(reply.text)
    except NoAnswer as error:
        late = (time.monotonic() - started) * 1000
        record.model(asking, "polish", **call, latency_ms=late, outcome=error.outcome, detail=str(error))
        return one, "rules", f"The model did not answer ({error})."
    except ValidationError as error:
        late = (time.monotonic() - started) * 1000
        record.model(asking, "polish", **call, latency_ms=late, outcome="no_opinion", detail=f"{error.error_count()} faults")
        return one, "rules", "The model's wording was not in the agreed form."
    better, dropped = polished(one, said.title, said.summary, {item.index: item.text for item in said.items})
    record.model(asking, "polish", **call, tokens_in=reply.tokens_in, tokens_out=reply.tokens_out, latency_ms=reply.latency_ms,
                 outcome="ok", detail="; ".join(dropped), response=reply.text)  # fmt: skip
    return better, "model" if better != one else "rules", f"Dropped of its wording: {'; '.join(dropped)}." if dropped else ""


def one_of(database: Queries, tenant: str, proposal_id: str) -> Row:
    """One proposal. Raises UnknownProposal."""
    rows = database.fetch("proposal", tenant=tenant, proposal_id=proposal_id.replace("\0", ""))
    if not rows:
        raise UnknownProposal()
    return rows[0]


def listed(
    database: Queries, tenant: str, *, limit: int, state: str | None = None, case_id: str | None = None,
    before: datetime | None = None, before_id: str = "",
) -> list[Row]:  # fmt: skip
    """Proposals, the newest first."""
    return database.fetch(
        "proposals", tenant=tenant, state=state, case_id=case_id, limit=limit, before=before, before_id=before_id
    )


def edit(
    database: Queries, caller: Caller, proposal_id: str, version: int, *, title: str | None = None, body: str | None = None,
    tags: Sequence[str] | None = None,
) -> Row:  # fmt: skip
    """Change a proposal's words. Raises UnknownProposal, ProposalDecided, ProposalChanged."""
    with database.connection() as connection:
        row = _held(connection, caller, proposal_id, version)
        kept = {
            "title": quoting.plain(title, TITLE_CAP) if title else row["title"],
            "body": body.replace("\0", " ")[:BODY_CAP] if body is not None else row["body"],
            "tags": [quoting.plain(tag, 60) for tag in tags] if tags is not None else row["tags"],
        }
        changed = fetch(connection, "edit_proposal", tenant=caller.tenant, proposal_id=proposal_id, **kept)[0]
        audit.record(connection, caller.tenant, caller.actor, "proposal.edit", proposal_id, {"version": changed["version"]})
    return changed


def accept(database: Queries, caller: Caller, proposal_id: str, version: int, now: datetime) -> Row:
    """Make the proposal a document of the runbook, found by search from now on. Raises as `edit` does, and EmptyRunbook."""
    with database.connection() as connection:
        row = _held(connection, caller, proposal_id, version)
    text = document_of(row)
    add_text(database, text, tenant=caller.tenant, actor=caller.actor)  # the same again is the same: a crash after it is harmless
    return _decided(database, caller, proposal_id, version, "accepted", now, doc_id=text.doc_id)


def reject(database: Queries, caller: Caller, proposal_id: str, version: int, now: datetime, reason: str) -> Row:
    """Turn the proposal down. Raises as `edit` does."""
    return _decided(database, caller, proposal_id, version, "rejected", now, reason=quoting.plain(reason, 500))


def document_of(row: Row) -> Text:
    """The accepted proposal as a document of its own."""
    tags = f"tags: {', '.join(row['tags'])}\n\n" if row["tags"] else ""
    body = f"# {quoting.plain(row['title'], TITLE_CAP)}\n\n{tags}{row['body']}\n"
    doc_id = f"case-note-{slug_of(row['title'])[:50].rstrip('-')}-{row['proposal_id'][-6:]}"
    raw = body.encode()
    return Text(doc_id, row["title"], f"{doc_id}.md", body, len(raw), hashlib.sha256(raw).hexdigest())


def _decided(
    database: Queries, caller: Caller, proposal_id: str, version: int, state: str, now: datetime, *, doc_id: str | None = None,
    reason: str = "",
) -> Row:  # fmt: skip
    with database.connection() as connection:
        _held(connection, caller, proposal_id, version)
        named = {
            "proposal_id": proposal_id,
            "state": state,
            "reason": reason,
            "doc_id": doc_id,
            "actor": caller.actor,
            "now": now,
        }
        row = fetch(connection, "decide_proposal", tenant=caller.tenant, **named)[0]
        audit.record(
            connection, caller.tenant, caller.actor, f"proposal.{state}", proposal_id, {"doc_id": doc_id, "reason": reason}
        )
    return row


def _held(connection: Connection, caller: Caller, proposal_id: str, version: int) -> Row:
    """The proposal locked, undecided and as the caller saw it."""
    rows = fetch(connection, "lock_proposal", tenant=caller.tenant, proposal_id=proposal_id.replace("\0", ""))
    if not rows:
        raise UnknownProposal()
    if rows[0]["state"] != "proposed":
        raise ProposalDecided(f"It was {rows[0]['state']} by {rows[0]['decided_by']}.")
    if rows[0]["version"] != version:
        raise ProposalChanged({name: rows[0][name] for name in ("version", "title", "body", "tags")})
    return rows[0]
