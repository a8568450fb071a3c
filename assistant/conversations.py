"""Conversations: kept for whoever began them, listed, read, renamed, deleted; and a question asked in one."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from assistant.answering import Answer, Event, answer, nothing
from assistant.errors import EmptyQuestion, UnknownConversation, UnknownZone
from assistant.lookups import Asking
from assistant.reading import Reading, follow, from_json, read
from assistant.voice import Voice
from rag import quoting
from store.database import Queries, fetch, run
from trust import audit
from trust.roles import Caller

Row = dict[str, Any]
TITLE_CAP = 80


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name. Raises UnknownZone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnknownZone(quoting.name(name)) from error


def listed(database: Queries, caller: Caller, *, limit: int, before: datetime | None = None, before_id: str = "") -> list[Row]:
    """The caller's conversations, the newest first."""
    return database.fetch(
        "conversations_of", tenant=caller.tenant, owner=caller.actor, limit=limit, before=before, before_id=before_id
    )


def one(database: Queries, caller: Caller, conversation_id: str) -> Row:
    """One of the caller's conversations. Raises UnknownConversation."""
    rows = database.fetch("conversation", **_key(caller, conversation_id))
    if not rows:
        raise UnknownConversation()
    return rows[0]


def messages(database: Queries, caller: Caller, conversation_id: str, *, after: int = 0, limit: int = 100) -> list[Row]:
    """Its messages in order, after a place. Raises UnknownConversation."""
    one(database, caller, conversation_id)
    return database.fetch(
        "conversation_messages", tenant=caller.tenant, conversation_id=conversation_id, after=after, limit=limit
    )


def rename(database: Queries, caller: Caller, conversation_id: str, title: str) -> Row:
    """Give it another title. Raises UnknownConversation."""
    with database.connection() as connection:
        if run(connection, "rename_conversation", **_key(caller, conversation_id), title=_title(title)) == 0:
            raise UnknownConversation()
        audit.record(connection, caller.tenant, caller.actor, "conversation.rename", conversation_id)
    return one(database, caller, conversation_id)


def delete(database: Queries, caller: Caller, conversation_id: str) -> None:
    """Remove it with all its messages. Raises UnknownConversation."""
    with database.connection() as connection:
        if run(connection, "delete_conversation", **_key(caller, conversation_id)) == 0:
            raise UnknownConversation()
        audit.record(connection, caller.tenant, caller.actor, "conversation.delete", conversation_id)


def ask(
    asking: Asking, caller: Caller, question: str, voice: Voice | None,
    *, fresh_id: str, conversation_id: str | None = None, most: int = 2_000, turns: int = 4, why: str = "",
) -> Iterator[Event]:  # fmt: skip
    """Ask in a conversation, or begin one under `fresh_id`; events as assistant/answering.py gives them, first `conversation`.

    What was said is kept, also when the reader leaves in the middle. Raises EmptyQuestion and UnknownConversation at once,
    before anything is answered.
    """
    question = question.replace("\0", " ").strip()[:most]
    if not any(letter.isalnum() for letter in question):
        raise EmptyQuestion()
    key = _begun(asking, caller, question, conversation_id, fresh_id)
    last = asking.database.fetch("last_turns", tenant=asking.tenant, conversation_id=key, limit=2 * turns)
    seq = _keep(asking, caller, key, "user", question)
    reading = follow(_before(last), read(question, asking.now, asking.zone), question)
    history = [f"{row['role']}: {row['text']}" for row in reversed(last)]
    asking = replace(asking, asker=caller.actor, session=key)
    return _told(asking, caller, key, seq, question, reading, voice, history, why)


def _told(
    asking: Asking, caller: Caller, key: str, seq: int, question: str, reading: Reading, voice: Voice | None, history: list[str],
    why: str,
) -> Iterator[Event]:  # fmt: skip
    given = nothing(reading)
    yield "conversation", {"conversation_id": key, "question": seq}
    try:
        for name, data in answer(asking, reading, question, voice, given, history, why):
            yield (
                name,
                data | ({"conversation_id": key, "message": _answered(asking, caller, key, given)} if name == "done" else {}),
            )
    finally:
        if not given.finished and given.sentences:
            given.why = "The answer was broken off."
            _answered(asking, caller, key, given)


def _begun(asking: Asking, caller: Caller, question: str, conversation_id: str | None, fresh_id: str) -> str:
    if conversation_id is not None:
        return str(one(asking.database, caller, conversation_id)["conversation_id"])
    row = {"conversation_id": fresh_id, "owner": caller.actor, "title": _title(question), "now": asking.now}
    asking.database.run("put_conversation", tenant=asking.tenant, **row)
    return fresh_id


def _answered(asking: Asking, caller: Caller, key: str, given: Answer) -> int:
    return _keep(asking, caller, key, "assistant", given.text, given.as_json())


def _keep(asking: Asking, caller: Caller, key: str, role: str, text: str, said: Row | None = None) -> int:
    with asking.database.connection() as connection:
        if run(connection, "touch_conversation", **_key(caller, key), now=asking.now) == 0:
            raise UnknownConversation()
        row = {"conversation_id": key, "role": role, "text": text, "answer": said, "now": asking.now}
        return int(fetch(connection, "put_conversation_message", tenant=asking.tenant, **row)[0]["seq"])


def _before(last: list[Row]) -> Reading | None:
    """The reading of the newest answer, to which `and yesterday?` refers."""
    kept = next((row["answer"]["reading"] for row in last if row["role"] == "assistant" and row["answer"]), None)
    return replace(from_json(kept)) if kept else None


def _title(text: str) -> str:
    return quoting.plain(text, TITLE_CAP) or "Conversation"


def _key(caller: Caller, conversation_id: str) -> dict[str, str]:
    return {"tenant": caller.tenant, "owner": caller.actor, "conversation_id": conversation_id.replace("\0", "")}
