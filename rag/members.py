"""A member that speaks through a model: one call for all cases, one try to repair, then no opinion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rag import prompting
from rag.audit import Call, prompt_hash
from rag.errors import NoAnswer, Truncated
from rag.items import Brief
from rag.models import Message, Reply
from rag.opinion import Answers, Opinion, Role, answer_schema, offered, read_answer, references


class Asks(Protocol):
    """A model, as the members know it."""

    name: str

    def ask(self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None) -> Reply: ...


@dataclass(frozen=True)
class Testimony:
    """What one member said about a batch: opinions by case, and for each other case why there is none."""

    role: Role
    opinions: dict[str, Opinion]
    faults: dict[str, str]
    calls: tuple[Call, ...]


def testify(model: Asks, role: Role, briefs: Sequence[Brief], may_repair: Callable[[], bool]) -> Testimony:
    """Ask once for every case; ask once more for the cases whose opinion cannot be used or cites what was not offered.

    An answer without a proper end counts as one that cannot be used. Raises NoAnswer (with the calls made in its `calls`)
    when the model did not answer at all.
    """
    calls: list[Call] = []
    first: list[Message] = [
        {"role": "system", "content": prompting.system(role)},
        {"role": "user", "content": prompting.cases(role, briefs)},
    ]
    answers = _heard(model, role, briefs, first, calls)
    wrong = {**answers.faults, **_unfounded(role, briefs, answers.opinions)}
    again = [brief for brief in briefs if brief.case_id in wrong]
    if again and may_repair():
        second: list[Message] = [first[0], {"role": "user", "content": prompting.repair(role, again, wrong)}]
        mended = _heard(model, role, again, second, calls)
        opinions = {**answers.opinions, **mended.opinions}
        answers = Answers(opinions, {case_id: why for case_id, why in mended.faults.items() if case_id not in opinions})
    return Testimony(role, answers.opinions, answers.faults, _marked(calls, answers.faults))


def _heard(model: Asks, role: Role, briefs: Sequence[Brief], messages: list[Message], calls: list[Call]) -> Answers:
    try:
        return read_answer(_ask(model, role, briefs, messages, calls).text, role, briefs)
    except Truncated as error:
        return Answers({}, dict.fromkeys((brief.case_id for brief in briefs), str(error)))


def _ask(model: Asks, role: Role, briefs: Sequence[Brief], messages: list[Message], calls: list[Call]) -> Reply:
    case_ids = tuple(brief.case_id for brief in briefs)
    hashed = prompt_hash(*(message["content"] for message in messages))
    try:
        reply = model.ask(messages, answer_schema(briefs, role))
    except NoAnswer as error:
        calls.append(
            Call(
                "model",
                model.name,
                error.outcome,
                error.latency_ms,
                case_ids,
                role,
                hashed,
                detail=str(error),
                response=error.said,
            )
        )
        error.calls = tuple(calls)
        raise
    calls.append(
        Call(
            "model",
            model.name,
            "ok",
            reply.latency_ms,
            case_ids,
            role,
            hashed,
            reply.tokens_in,
            reply.tokens_out,
            response=reply.text,
        )
    )
    return reply


def _unfounded(role: Role, briefs: Sequence[Brief], opinions: Mapping[str, Opinion]) -> dict[str, str]:
    """Opinions that cite or name what this member was not shown; worth one more try, since verification would lower them."""
    found = {}
    for brief in briefs:
        opinion, seen = opinions.get(brief.case_id), offered(role, brief)
        if opinion is None:
            continue
        strange = [cited for cited in opinion.citations if cited not in seen]
        strange += [f"{{{{{item}.{name}}}}}" for item, name in references(opinion) if not _resolves(brief, item, name, seen)]
        if strange:
            found[brief.case_id] = f"not in your evidence: {', '.join(strange[:4])}; cite only {', '.join(sorted(seen))}"
    return found


def _resolves(brief: Brief, item_id: str, name: str, seen: set[str]) -> bool:
    item = brief.item(item_id)
    return item is not None and item_id in seen and name in item.fields


def _marked(calls: Sequence[Call], faults: Mapping[str, str]) -> tuple[Call, ...]:
    """The last call says what stayed unusable."""
    if not faults:
        return tuple(calls)
    last = calls[-1]
    detail = "; ".join(f"{case_id}: {fault}" for case_id, fault in sorted(faults.items()))
    outcome = "no_opinion" if last.outcome == "ok" else last.outcome
    return (*calls[:-1], Call(**{**vars(last), "outcome": outcome, "detail": last.detail or detail}))
