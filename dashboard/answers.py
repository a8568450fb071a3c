"""Answers of the chat as HTML: sentences with their citations, those without support marked, and where each citation leads."""

from collections.abc import Sequence
from typing import Any

from dashboard import words
from dashboard.words import escaped

Row = dict[str, Any]
SPOKEN = {
    "model": "Answered by {model}.",
    "templates": "Put together from what is recorded, without a model.",
    "extractive": "In the sources' own sentences, without a model.",
    "nothing": "Nothing on record answers this.",
}


def answer(given: Row, scope: str) -> str:
    """An answer as far as it is given: `sentences`, `citations`, `spoken_by`, `model`, `why`; `scope` keeps anchors apart."""
    said = "".join(_sentence(one, scope) for one in given.get("sentences") or [])
    cited = "".join(_citation(one, scope) for one in given.get("citations") or [])
    sources = f'<ol class="cv-sources">{cited}</ol>' if cited else ""
    return f'<div class="cv-answer">{said or "<p>…</p>"}{sources}{_spoken(given)}</div>'


def _sentence(one: Row, scope: str) -> str:
    marks = "".join(f'<sup><a href="#{escaped(scope)}-{number}">{number}</a></sup>' for number in one["cites"])
    text = escaped(one["text"], 2000)
    if one["supported"]:
        return f"<p>{text}{marks}</p>"
    why = escaped(one.get("why") or "nothing cited supports it", 300)
    return f'<p><mark class="cv-bad" title="{why}">{text}</mark>{marks} <span class="cv-soft">not supported: {why}</span></p>'


def _citation(one: Row, scope: str) -> str:
    href = leads_to(str(one["kind"]), str(one["id"]))
    title = escaped(one["title"] or one["id"], 200)
    named = f'<a href="{href}">{title}</a>' if href else f"<b>{title}</b>"
    excerpt = f'<div class="cv-values">{escaped(one["excerpt"], 400)}</div>' if one.get("excerpt") else ""
    return f'<li id="{escaped(scope)}-{one["n"]}" value="{one["n"]}">{named}{excerpt}</li>'


def leads_to(kind: str, source_id: str) -> str:
    """The page that shows a source; empty when none does.

    >>> leads_to("section", "runbook#pool"), leads_to("count", "assistant_counts")
    ('runbook?section=runbook%23pool', '')
    """
    if kind == "section":
        return words.link("runbook", section=source_id)
    if source_id.startswith("case-"):
        return words.link("case", case=source_id)
    return words.link("entity", name=source_id) if ":" in source_id else ""


def _spoken(given: Row) -> str:
    said = SPOKEN.get(str(given.get("spoken_by") or ""), "").format(model=given.get("model") or "a model")
    why = given.get("why") or ""
    return f'<p class="cv-from">{escaped(" ".join(part for part in (said, why) if part), 500)}</p>' if said or why else ""


def understood(reading: Row) -> str:
    """How a question was read: the kind, the names, the time meant."""
    parts = [str(reading.get("kind") or "").replace("_", " "), *(reading.get("names") or []), *(reading.get("cases") or [])]
    parts += [f"{span['words']} ({span['period']})" for span in reading.get("spans") or [] if span.get("period")]
    said = " · ".join(part for part in parts if part)
    return f'<p class="cv-from">Read as: {escaped(said, 300)}</p>' if said else ""


def question(text: str) -> str:
    return f"<p>{escaped(text, 2000)}</p>"


def hits(found: Sequence[Any]) -> str:
    """What a search found: title, excerpt, and why it was found."""
    return f'<ul class="cv-list cv-feed">{"".join(_hit(one) for one in found)}</ul>'


def _hit(one: Any) -> str:
    title = one.title if one.kind == "section" else f"Case: {one.title}"
    return (
        f'<li><div class="cv-line"><a class="cv-name" href="{leads_to(one.kind, one.id)}">{escaped(title, 200)}</a>'
        f"<span>{one.score:.2f}</span></div><div>{escaped(one.excerpt, 400)}</div>"
        f'<div class="cv-values">{escaped(one.why, 200)}</div></li>'
    )
