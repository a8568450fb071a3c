"""Questions in conversations: answers as server-sent events, or whole; conversations kept."""

import json
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import iterate_in_threadpool

from assistant import conversations
from assistant.answering import Event
from assistant.asking import asking_of, voice_for
from assistant.errors import EmptyQuestion, UnknownConversation, UnknownZone
from gateway import problems
from gateway.access import App, Needs, Now, Store
from gateway.cursors import closed, opened, text, time
from gateway.routes.infer import Citation, Sentence
from store.errors import ConclaveError
from trust.roles import Caller, Role

router = APIRouter(prefix="/v1/chat", tags=["assistant"])
Analyst = Annotated[Caller, Needs(Role.analyst, scope="assistant")]
ConversationId = Annotated[str, Path(max_length=64, pattern=r"^[\w-]+$", examples=["chat-5f2c9d0e1a7b4c38"])]
problems.register({UnknownConversation: 404, UnknownZone: 422, EmptyQuestion: 422})


EXAMPLE: dict[str, Any] = {"question": "What happened to account A12 last night?", "zone": "Europe/Berlin"}
EVENTS = "events `conversation`, `reading`, `citation`, `sentence`, `done`, or `error`"
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string", "description": EVENTS}}}}
}


class Question(BaseModel):
    """A question, in a conversation or as the beginning of one."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    question: str = Field(min_length=1, max_length=4_000)
    conversation_id: Annotated[str, Field(max_length=64, pattern=r"^[\w-]+$")] | None = None
    zone: str | None = Field(None, max_length=64, description="your time zone; `last night` is read in it")
    now: AwareDatetime | None = Field(None, description="ask as if it were then; for replayed data")
    stream: bool = Field(True, description="server-sent events; false: one JSON object")


class Span(BaseModel):
    """A time as it was read from the question."""

    words: str
    since: AwareDatetime
    until: AwareDatetime
    period: str


class Understood(BaseModel):
    """How the question was read."""

    kind: Literal["happened", "why", "count", "compare", "top", "similar", "waiting", "how"]
    names: list[str]
    cases: list[str]
    spans: list[Span]


class ChatAnswer(BaseModel):
    """A whole answer, `spoken_by` the model, by templates over looked-up facts, or in the sources' own (`extractive`) words."""

    conversation_id: str
    message: int
    reading: Understood
    sentences: list[Sentence]
    citations: list[Citation]
    spoken_by: Literal["model", "templates", "extractive", "nothing"]
    model: str
    why: str


class Conversation(BaseModel):
    """A conversation of yours."""

    conversation_id: str
    title: str
    created_at: AwareDatetime
    updated_at: AwareDatetime
    messages: int


class ConversationPage(BaseModel):
    """Your conversations, the newest first."""

    items: list[Conversation]
    next: str | None


class Message(BaseModel):
    """A question, or an answer with its citations and how the question was read."""

    seq: int
    role: Literal["user", "assistant"]
    text: str
    answer: dict[str, Any] | None
    at: AwareDatetime


class MessagePage(BaseModel):
    """Messages in order."""

    items: list[Message]
    next: str | None


class Title(BaseModel):
    """A conversation's name."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(min_length=1, max_length=200)


@router.post("", summary="Ask", response_model=ChatAnswer, responses=STREAMED)
def put_question(caller: Analyst, store: Store, app: App, now: Now, asked: Question) -> Any:
    """Ask about accounts, services, cases, rulings, metrics or the runbook. Each sentence comes with what it rests on; one
    without support is marked. Questions become fixed queries, never SQL of a model."""
    voice, why = voice_for(app)
    asking = asking_of(store, caller.tenant, asked.now or now, app, asked.zone)
    events = conversations.ask(
        asking, caller, asked.question, voice, fresh_id=f"chat-{secrets.token_hex(8)}", conversation_id=asked.conversation_id,
        most=app.assistant.max_question, turns=app.assistant.history_turns, why=f"No model spoke ({why})." if why else "",
    )  # fmt: skip
    return EventSourceResponse(_sent(events), ping=15) if asked.stream else _whole(events)


async def _sent(events: Iterator[Event]) -> AsyncIterator[ServerSentEvent]:
    """The events on the wire; when the reader leaves, the answer's end is still written down."""
    try:
        async for name, data in iterate_in_threadpool(events):
            yield ServerSentEvent(event=name, data=json.dumps(data, ensure_ascii=False))
    except ConclaveError as error:
        yield ServerSentEvent(event="error", data=json.dumps({"status": problems.status_of(error), "detail": str(error)}))
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(events.close)  # type: ignore[attr-defined]


def _whole(events: Iterator[Event]) -> ChatAnswer:
    found: dict[str, list[dict[str, Any]]] = {}
    for name, data in events:
        found.setdefault(name, []).append(data)
    done = found["done"][0]
    return ChatAnswer(
        conversation_id=done["conversation_id"], message=done["message"], reading=Understood(**found["reading"][0]),
        sentences=[Sentence.model_validate(one) for one in found.get("sentence", ())],
        citations=[Citation(**one) for one in found.get("citation", ())], spoken_by=done["spoken_by"], model=done["model"],
        why=done["why"],
    )  # fmt: skip


@router.get("/conversations", summary="Your conversations")
def list_conversations(
    caller: Analyst, store: Store, limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=400)] = None,
) -> ConversationPage:  # fmt: skip
    """Only your own; a conversation belongs to the key or person that began it."""
    before, before_id = opened(after, time, text) if after is not None else (None, "")
    rows = conversations.listed(store, caller, limit=limit + 1, before=before, before_id=before_id)
    kept = rows[:limit]
    last = closed(kept[-1]["updated_at"].isoformat(), kept[-1]["conversation_id"]) if len(rows) > limit else None
    return ConversationPage(items=[Conversation(**row) for row in kept], next=last)


@router.get("/conversations/{conversation_id}", summary="A conversation's messages")
def read_conversation(
    caller: Analyst, store: Store, conversation_id: ConversationId, limit: Annotated[int, Query(ge=1, le=200)] = 100,
    after: Annotated[str | None, Query(max_length=400)] = None,
) -> MessagePage:  # fmt: skip
    """Questions and answers in order, with citations."""
    place = opened(after, _seq)[0] if after is not None else 0
    rows = conversations.messages(store, caller, conversation_id, after=place, limit=limit + 1)
    kept = rows[:limit]
    return MessagePage(items=[Message(**row) for row in kept], next=closed(kept[-1]["seq"]) if len(rows) > limit else None)


@router.patch("/conversations/{conversation_id}", summary="Rename a conversation")
def rename_conversation(caller: Analyst, store: Store, conversation_id: ConversationId, title: Title) -> Conversation:
    """Give it another title."""
    return Conversation(**conversations.rename(store, caller, conversation_id, title.title))


@router.delete("/conversations/{conversation_id}", summary="Delete a conversation", status_code=204)
def delete_conversation(caller: Analyst, store: Store, conversation_id: ConversationId) -> Response:
    """It goes with all its messages, for good."""
    conversations.delete(store, caller, conversation_id)
    return Response(status_code=204)


def _seq(value: Any) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError
    return value
