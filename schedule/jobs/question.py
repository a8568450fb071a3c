"""A saved question, put to the chat; answered anew only when something happened since the last time."""

from typing import Any

from assistant.answering import answer, nothing
from assistant.asking import asking_of, voice_for
from assistant.reading import read
from schedule.errors import JobFailed
from schedule.registry import Context, Result
from store.outbox import Message, publish

ACCEPTS = ("question", "zone", "tell")


def mark(context: Context) -> str:
    """The state of what is asked about, and the day: `yesterday` means another one tomorrow."""
    state = context.database.fetch("nightly_mark", tenant=context.tenant)[0]["mark"]
    return f"{context.now:%Y-%m-%d} {context.arguments.get('question', '')} {state}"


def run(context: Context) -> Result:
    question = str(context.arguments.get("question", "")).strip()
    if not question:
        raise JobFailed("(say what to ask: `--argument question=…`)")
    zone = context.arguments.get("zone")
    asking = asking_of(context.database.of(context.tenant), context.tenant, context.now, context.settings, zone and str(zone))
    voice, why = voice_for(context.settings)
    reading = read(question, asking.now, asking.zone)
    given = nothing(reading)
    for _ in answer(asking, reading, question, voice, given, why=why):
        pass  # the whole answer is wanted, not its pieces
    result = {"text": given.text, "question": question, "spoken_by": given.spoken_by, "citations": given.citations}
    if context.arguments.get("tell"):
        tell(context, question, result)
    return result


def tell(context: Context, question: str, result: dict[str, Any]) -> None:
    """Everyone subscribed to digests is told the answer."""
    said = Message(
        tenant=context.tenant, topic="schedule", kind="digest", subject=question[:200], severity=0.0, title=question[:200],
        dedupe_key=f"question {question} {context.now.isoformat()}", payload={"text": result["text"]},
    )  # fmt: skip
    with context.database.connection() as connection:
        publish(connection, said)
