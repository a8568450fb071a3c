"""A runbook section drafted from a resolved case: what it looked like, what was checked, what was done. Pure.

Names of people, accounts and services do not get into a runbook: the entity becomes `this account`, comments are masked.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assistant.support import numbers
from rag import quoting
from rag.answer import LEAST_OVERLAP
from rag.evidence import split_entity
from rag.items import Brief, from_json, say
from rag.names import DETECTORS
from rag.ranking import words
from trust.pii import mask

ACTIONS = {
    "block_account": "Block the account.", "step_up_auth": "Ask the customer for stronger authentication.",
    "hold_terminal": "Hold the terminal.", "open_incident": "Open an incident.", "watch": "Watch it; do nothing more yet.",
}  # fmt: skip
DID = {"executed": "This was done.", "approved": "This was approved.", "rejected": "A person decided against it here."}
MOST_NOTES, LINE_CAP = 4, 400
_KINDS = "(account|counterparty|service|series|terminal)"
_ACTION_VERBS = re.compile(
    r"^\W*(block|hold|require|call|restart|roll|open|ask|reset|raise|stop|disable|fail over|tell|contact|freeze|reissue|refund"
    r"|page|scale|revert|switch|drain|throttle|notify|rotate|renew)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Item:
    """A line of a part: `Symptoms`, `Checks`, `Actions`, `When not to act`, `Notes`."""

    part: str
    text: str


@dataclass(frozen=True)
class Draft:
    """A proposed section; `body` is its Markdown."""

    title: str
    summary: str
    items: tuple[Item, ...]
    tags: tuple[str, ...]

    @property
    def body(self) -> str:
        parts = dict.fromkeys(item.part for item in self.items)
        blocks = [self.summary]
        blocks += [f"### {part}\n" + "\n".join(f"- {one.text}" for one in self.items if one.part == part) for part in parts]
        return "\n\n".join(block for block in blocks if block.strip())


def draft(case: Mapping[str, Any], timeline: Sequence[Mapping[str, Any]]) -> Draft:
    """The section of a case: a row of `proposal_case`, and what people wrote about it."""
    alike = _Anonymous(case["entity"])
    brief = from_json(case["brief"])
    detectors = _detectors(brief)
    pattern = str(case.get("pattern") or "").strip()
    looks = pattern or " and ".join(detectors[:2]) or "an unusual course"
    kind = case["kind"]
    title = f"{_capital(looks)} of {_article(kind)}: {'what it was' if case['outcome'] == 'confirmed' else 'a harmless case'}"
    summary = _capital(alike(case["root_cause"])) or f"{_article(kind).capitalize()} showed {looks}."
    items = [*_symptoms(brief, detectors, alike), *_checks(case, alike), *_actions(case, alike), *_not_to_act(case, alike)]
    tags = [f"kind={kind}", *(f"detector={name}" for name in _detector_names(brief)[:3])]
    if case["outcome"] == "confirmed" and case["action"] in ACTIONS:
        tags.append(f"action={case['action']}")
    return Draft(title, summary, (*items, *_notes(case, timeline, alike)), tuple(tags))


class _Anonymous:
    """Text without the entity's own names, personal data or markup."""

    def __init__(self, entity: str) -> None:
        kind, subject, _ = split_entity(entity)
        names = [name for name in (entity, f"{kind}:{subject}", subject) if len(name) > 1]
        self._names = re.compile("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names) or r"(?!)")
        self._kind = f"this {kind}"

    def __call__(self, text: object) -> str:
        plain = self._names.sub(self._kind, quoting.plain(mask(str(text or "")), LINE_CAP))
        return re.sub(rf"\b{_KINDS}\s+{self._kind}\b", self._kind, plain, flags=re.IGNORECASE)


def _symptoms(brief: Brief, detectors: Sequence[str], alike: _Anonymous) -> list[Item]:
    found = [f"Flagged for {', '.join(detectors)}."] if detectors else []
    worst = brief.first("anomaly")
    if worst is not None and {"value", "expected"} <= set(worst.fields):
        ratio = f", {say(worst, 'ratio')} times as much" if "ratio" in worst.fields else ""
        found.append(f"At worst {say(worst, 'value')} where {say(worst, 'expected')} was to be expected{ratio}.")
    episode = brief.first("episode")
    if episode is not None and episode.number("hits") and episode.number("span_s"):
        found.append(f"{say(episode, 'hits')} hits within {say(episode, 'span_s')}.")
    return [Item("Symptoms", alike(text)) for text in found]


def _checks(case: Mapping[str, Any], alike: _Anonymous) -> list[Item]:
    """What the council weighed, and the steps it named that are no deeds."""
    steps = [step["text"] for step in case["next_steps"] or [] if step.get("text") and not _ACTION_VERBS.match(step["text"])]
    reasons = [
        reason for opinion in case["opinions"] or [] if opinion.get("role") == "auditor" for reason in opinion.get("said") or []
    ]
    return [Item("Checks", alike(text)) for text in dict.fromkeys([*steps, *(f"Weigh: {reason}" for reason in reasons[:2])])]


def _actions(case: Mapping[str, Any], alike: _Anonymous) -> list[Item]:
    if case["outcome"] != "confirmed":
        return []
    steps = [step["text"] for step in case["next_steps"] or [] if step.get("text") and _ACTION_VERBS.match(step["text"])]
    deeds = [
        f"{ACTIONS[one['action']]} {DID.get(one['state'], '')}".strip() for one in case["commands"] if one["action"] in ACTIONS
    ]
    found = list(dict.fromkeys([*deeds, *steps])) or [ACTIONS.get(str(case["action"]), "Bring it to a person.")]
    return [Item("Actions", alike(text)) for text in found]


def _not_to_act(case: Mapping[str, Any], alike: _Anonymous) -> list[Item]:
    reason = alike(case.get("reason_text")) or alike(str(case.get("reason") or "").replace("_", " "))
    if case["outcome"] == "dismissed" or case.get("status") == "dismissed":
        return [Item("When not to act", reason or alike(case["root_cause"]))]
    return [Item("Notes", f"Closed as: {reason}")] if reason else []


def _notes(case: Mapping[str, Any], timeline: Sequence[Mapping[str, Any]], alike: _Anonymous) -> list[Item]:
    """What people wrote, newest last; orders to a model are left out."""
    comments = [row["said"] for row in timeline if row["kind"] == "commented" and row["said"] and not quoting.orders(row["said"])]
    notes = [Item("Notes", f"A colleague noted: {alike(text)}") for text in comments[-MOST_NOTES:]]
    return [*notes, Item("Notes", f"From {quoting.name(case['case_id'])}, {case['outcome']} by the council.")]


def polished(one: Draft, title: str, summary: str, texts: Mapping[int, str]) -> tuple[Draft, list[str]]:
    """The draft with a model's wording where it says nothing new, and what of its wording was dropped."""
    dropped: list[str] = []

    def better(old: str, new: str | None, name: str) -> str:
        new = quoting.plain(new or "", LINE_CAP)
        if not new or new == old:
            return old
        if fault := faithful(old, new):
            dropped.append(f"{name}: {fault}")
            return old
        return new

    items = tuple(
        replace(item, text=better(item.text, texts.get(place), f"line {place}")) for place, item in enumerate(one.items)
    )
    whole = f"{one.title} {one.summary}"
    kept = replace(one, summary=better(one.summary, summary, "summary"), items=items)
    return replace(kept, title=one.title if faithful(whole, title) else quoting.plain(title, 120)), dropped


def faithful(old: str, new: str) -> str:
    """Why a new wording is not the old one's meaning; empty when nothing speaks against it."""
    if invented := numbers(new) - numbers(old):
        return f"it brings {min(invented)}"
    said, source = set(words(new)), set(words(old))
    if not said or len(said & source) / len(said) < LEAST_OVERLAP:
        return "it says something else"
    return ""


def _detector_names(brief: Brief) -> list[str]:
    episode = brief.first("episode")
    return episode.words("detectors") if episode is not None else []


def _detectors(brief: Brief) -> list[str]:
    return [DETECTORS.get(name, name).lower() for name in _detector_names(brief)]


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
