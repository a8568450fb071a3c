"""What a bundle says, before any channel's form: plain sentences, every message counted, free text tamed and capped.

Numbers are only counts, and what the messages' titles and rulings already say; nothing is reckoned here.
"""

import tomllib
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote as quoted

FOLDER = Path(__file__).parent / "templates"
TITLE_CAP, DETAIL_CAP, NAME_CAP, KIND_CAP, LINE_CAP, TEXT_CAP = 200, 600, 120, 50, 500, 8000
LEVELS = ((0.85, "critical"), (0.7, "high"), (0.5, "medium"), (0.0, "low"))
CASE = "case-"


@cache
def words() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "words.toml").read_text(encoding="utf-8"))


@cache
def template(name: str) -> Template:
    return Template((FOLDER / name).read_text(encoding="utf-8"))


def sentence(name: str, **values: object) -> str:
    return Template(words()["sentences"][name]).substitute(values)


def tame(text: object, cap: int) -> str:
    """One line without control, format (bidi) or surrogate characters, at most `cap` characters.

    >>> tame("pay\\n\\u202emoor", 20), tame("abcdef", 4)
    ('pay moor', 'abc…')
    """
    flat = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in str(text)[: cap * 4])
    line = " ".join(flat.split())
    return line if len(line) <= cap else line[: cap - 1] + "…"


def level(severity: float) -> str:
    """The word for a severity of 0..1."""
    return next((word for bound, word in LEVELS if severity >= bound), "low")


def said(kind: str, count: int) -> str:
    """A kind in words, for so many.

    >>> said("case.opened", 1), said("case.opened", 9991), said("my.own_kind", 2)
    ('case opened', '9,991 cases opened', '2 × my own kind')
    """
    known = words()["kinds"].get(kind)
    if known is None:
        own = tame(kind.replace(".", " ").replace("_", " "), 40)
        return own if count == 1 else f"{count:,} × {own}"
    return str(Template(known["one" if count == 1 else "many"]).substitute(count=f"{count:,}"))


def compose(
    messages: Sequence[Mapping[str, Any]], payloads: Mapping[int, Mapping[str, Any]], public_url: str, most: int
) -> dict[str, Any]:
    """The content of a bundle of one or more messages (rows of `messages`, oldest first), as JSON.

    `kinds` count all messages; `lines` are the gravest `most`, each with how often it came; `more` counts what is on no line:
    sum(kinds) = total = sum(lines) + more. `payloads`: those of the messages on lines (message id → payload).
    """
    kinds = Counter(str(message["kind"]) for message in messages)
    subjects = {message["subject"] for message in messages}
    entities = Counter(str(message["entity"]) for message in messages if message["entity"])
    lines = [_line(alike, payloads, public_url) for alike in gravest(messages, most)]
    worst = max(float(message["severity"]) for message in messages)
    case_id = _case(subjects)
    return {
        "title": _title(messages, kinds, entities), "summary": _summary(messages, kinds),
        "level": level(worst), "severity": worst,
        "total": len(messages), "subjects": len(subjects), "entities": len(entities),
        "kinds": [{"kind": kind, "count": count, "words": said(kind, count)} for kind, count in kinds.most_common()],
        "lines": lines, "more": len(messages) - sum(line["count"] for line in lines),
        "first_at": stamp(messages[0]["created_at"]), "last_at": stamp(max(message["created_at"] for message in messages)),
        "subject": tame(next(iter(subjects)), NAME_CAP) if len(subjects) == 1 else "", "case_id": case_id,
        "link": link(public_url, case_id), "text": _text(messages, payloads),
    }  # fmt: skip


def gravest(messages: Sequence[Mapping[str, Any]], most: int) -> list[list[Mapping[str, Any]]]:
    """Messages of the same kind, subject and title together; the gravest such lists first."""
    alike: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for message in messages:
        alike.setdefault((message["kind"], message["subject"], message["title"]), []).append(message)
    ordered = sorted(alike.values(), key=lambda some: (-max(one["severity"] for one in some), some[0]["message_id"]))
    return ordered[:most]


def _line(alike: list[Mapping[str, Any]], payloads: Mapping[int, Mapping[str, Any]], public_url: str) -> dict[str, Any]:
    newest, severity = alike[-1], max(float(one["severity"]) for one in alike)
    payload = payloads.get(newest["message_id"], {})
    case_id = _case({newest["subject"]})
    return {
        "title": tame(newest["title"], TITLE_CAP) or said(newest["kind"], 1),
        "kind": tame(newest["kind"], KIND_CAP), "words": said(newest["kind"], 1),
        "subject": tame(newest["subject"], NAME_CAP), "entity": tame(newest["entity"], NAME_CAP), "severity": severity,
        "level": level(severity), "count": len(alike), "at": stamp(newest["created_at"]), "detail": _detail(payload),
        "case_id": case_id, "link": link(public_url, case_id),
    }  # fmt: skip


def _title(messages: Sequence[Mapping[str, Any]], kinds: Counter[str], entities: Counter[str]) -> str:
    if len(messages) == 1:
        return tame(messages[0]["title"], TITLE_CAP) or said(messages[0]["kind"], 1)
    if len(kinds) > 1:
        return sentence("many", count=f"{len(messages):,}", kinds=_all_kinds(kinds))
    alone = tame(next(iter(entities)), NAME_CAP) if len(entities) == 1 else ""
    return sentence("about", kinds=_all_kinds(kinds), entity=alone) if alone else _all_kinds(kinds)


def _summary(messages: Sequence[Mapping[str, Any]], kinds: Counter[str]) -> str:
    worst = level(max(float(message["severity"]) for message in messages))
    if len(messages) == 1:
        return f"{words()['levels'][worst].capitalize()}: {said(messages[0]['kind'], 1)}."
    counts = Counter(level(float(message["severity"])) for message in messages)
    shares = ", ".join(f"{counts[word]:,} {words()['levels'][word]}" for _, word in LEVELS if counts[word])
    return f"{_all_kinds(kinds).capitalize()}; {shares}."


def _all_kinds(kinds: Counter[str]) -> str:
    return ", ".join(said(kind, count) if count > 1 else f"1 {said(kind, 1)}" for kind, count in kinds.most_common())


def _detail(payload: Mapping[str, Any]) -> str:
    """Why, as the ruling says it."""
    said = [payload[name] for name in ("root_cause", "said", "detail", "why", "error") if isinstance(payload.get(name), str)]
    return tame(said[0], DETAIL_CAP) if said else ""


def _text(messages: Sequence[Mapping[str, Any]], payloads: Mapping[int, Mapping[str, Any]]) -> str:
    """What a single message says at length, as a digest does: its lines, each tamed."""
    said = payloads.get(messages[0]["message_id"], {}).get("text") if len(messages) == 1 else None
    lines = (tame(line, LINE_CAP) for line in said[:TEXT_CAP].splitlines()) if isinstance(said, str) else ()
    return "\n".join(lines).strip()


def _case(subjects: set[Any]) -> str | None:
    alone = next(iter(subjects)) if len(subjects) == 1 else ""
    return tame(alone, NAME_CAP) if alone.startswith(CASE) else None


def link(public_url: str, case_id: str | None) -> str | None:
    """Where to read on: the case, else the inbox; None while no public address is set.

    >>> link("https://desk.example", "case-a b")
    'https://desk.example/case?case=case-a%20b'
    """
    return None if not public_url else public_url if case_id is None else f"{public_url}/case?case={quoted(case_id, safe='')}"


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def readable(at: str) -> str:
    """A stamp for people.

    >>> readable("2026-03-01T14:02:03.000Z")
    '1 March 2026, 14:02 UTC'
    """
    moment = datetime.fromisoformat(at)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
