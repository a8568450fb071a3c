"""Traces of model calls as a product would send them: faithful answers, and one that invents."""

from datetime import datetime, timedelta

from observe import intake, loop, posted
from observe.intake import Sender
from observe.posted import Posted, Step
from store.database import Database
from store.settings import Settings

REFUNDS = "Refunds are processed in 3 business days after the return has arrived at the warehouse."
GOOD = "Refunds are processed in 3 business days after the return has arrived."
BAD = "Refunds take 30 business days. The chief executive Gloria Winterbottom approves each one personally in Lisbon."
HOSTILE = '<img src=x onerror="alert(9)"> What about **refunds**?'


def sent(number: int, now: datetime, *, bad: bool = False, model: str = "gpt-4o-mini", project: str = "shop") -> Posted:
    """One question with its answer, search and model call as steps."""
    begun = now - timedelta(hours=number)
    return Posted(
        trace_id=f"trace-{project}-{number}{'-bad' if bad else ''}",
        project=project,
        name="answer",
        query=HOSTILE if number == 3 else f"How long do refunds take? ({number})",
        response=BAD if bad else GOOD,
        contexts=[REFUNDS],
        model=model,
        prompt="refunds-2" if number % 2 else "refunds-1",
        tokens_in=120 + number,
        tokens_out=14,
        latency_ms=640 + 40 * number,
        started_at=begun,
        spans=[
            Step(span_id="search", name="search", kind="retriever", latency_ms=90, started_at=begun),
            Step(
                span_id="model",
                name=model,
                kind="llm",
                model=model,
                latency_ms=520,
                started_at=begun + timedelta(milliseconds=95),
            ),
        ],
    )


def trace(database: Database, settings: Settings, given: list[Posted], now: datetime) -> None:
    """Take them in and score them, as gateway and `conclave operate` do."""
    sender = Sender("main", "key:test", "api")
    for one in given:
        taken = intake.accept(database, sender, posted.arrivals(one, one.project or "shop", now), settings, now)
        assert not taken.refused, taken.refused
    scored(database, settings, now)


def scored(database: Database, settings: Settings, now: datetime) -> None:
    """Score what is due by then."""
    while loop.work(database, settings, now + timedelta(minutes=5)):
        pass
