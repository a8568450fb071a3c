"""A language model as a second scorer beside the words, for traces whose project wants it; its word changes no flag."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from string import Template
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from observe.scores import Score
from observe.scoring import score_rows
from observe.texts import Reader
from store.database import Database, run
from store.errors import ConclaveError
from store.settings import Settings
from trust import pii

PROMPT = Path(__file__).parent / "judge.md"
MOST = 2  # traces leased at a time: each is a call of seconds
CAP = 6_000  # characters of contexts shown
log = structlog.get_logger(__name__)


class Verdict(BaseModel):
    """The agreed form of the judge's answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    unsupported: list[str] = Field(max_length=20, description="sentences of the answer that the contexts do not support")
    claims: int = Field(ge=0, le=200, description="sentences of the answer that claim something")
    answers: int = Field(ge=0, le=2, description="0: does not answer the question, 1: partly, 2: fully")


@dataclass(frozen=True)
class Judge:
    """A model: `ask(messages, schema) -> text`; raises ConclaveError when it cannot. `quote` makes untrusted text harmless."""

    name: str
    ask: Callable[[Sequence[dict[str, str]], dict[str, Any]], str]
    quote: Callable[[str, int], str]


def work(database: Database, settings: Settings, judge: Judge, now: datetime) -> int:
    """Judge a few traces; how many. A failed call is noted and not tried again: the words' scores stand anyway."""
    until = now + timedelta(seconds=settings.observe.judge_lease_s)
    leased = database.fetch("lease_judgements", now=now, until=until, limit=MOST)
    reader = Reader(database, settings)
    for row in leased:
        query, response, *contexts = reader.open(row["tenant"], [row["query"], row["response"], *row["contexts"]])
        found = judged(judge, query, response, contexts)
        with database.connection() as connection:
            rows = score_rows(row["tenant"], row["trace_id"], f"judge:{judge.name}", found)
            run(connection, "put_scores", now=now, rows=json.dumps(rows))
            state = "done" if any(one.value is not None for one in found) else "failed"
            run(connection, "judged", tenant=row["tenant"], trace_id=row["trace_id"], state=state)
    return len(leased)


def judged(judge: Judge, query: str, response: str, contexts: Sequence[str]) -> list[Score]:
    """Faithfulness and relevancy as the model sees them; unknown, with why, when it gave nothing that can be used."""
    try:
        verdict = Verdict.model_validate_json(judge.ask(prompt(judge, query, response, contexts), Verdict.model_json_schema()))
    except (ConclaveError, ValidationError) as error:
        why = f"the judge gave no verdict ({type(error).__name__})"
        return [Score("faithfulness", None, why), Score("relevancy", None, why)]
    bad = [sentence for sentence in verdict.unsupported if _squeezed(sentence) in _squeezed(response)]
    faithful = None if not contexts or verdict.claims == 0 else max(0.0, 1 - len(bad) / max(verdict.claims, len(bad)))
    why = "" if faithful is not None else "there is nothing to hold the answer against"
    return [Score("faithfulness", faithful, why, {"unsupported": len(bad)}), Score("relevancy", verdict.answers / 2)]


def prompt(judge: Judge, query: str, response: str, contexts: Sequence[str]) -> list[dict[str, str]]:
    """The messages; what was asked, answered and offered is masked and quoted, for it may give orders."""
    shown = "\n".join(f"{n}. {judge.quote(pii.mask(text), CAP // max(len(contexts), 1))}" for n, text in enumerate(contexts, 1))
    text = Template(PROMPT.read_text(encoding="utf-8")).substitute(
        query=judge.quote(pii.mask(query), 1_000), response=judge.quote(pii.mask(response), 4_000), contexts=shown or "(none)"
    )
    return [{"role": "user", "content": text}]


def _squeezed(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())
