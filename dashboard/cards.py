"""A ruling as a card: the summary line, and under it votes, checks that failed, next steps, citations and the evidence.

Everything in a ruling may quote events, so every piece goes through `words.escaped`. Times are absolute: a card that did not
change is the same HTML, and the browser keeps it unfolded.
"""

from itertools import groupby
from typing import Any

from dashboard import words
from dashboard.exhibits import citations, evidence, heading, items, section_link, section_of
from dashboard.words import escaped

Row = dict[str, Any]


def rulings(rows: list[Row], scope: str, opened: int = 0) -> str:
    """The cards of `rows`, the first `opened` unfolded; `scope` keeps anchors apart when a ruling is shown twice."""
    return '<div class="cv-list">' + "".join(ruling(row, scope, place < opened) for place, row in enumerate(rows)) + "</div>"


def ruling(row: Row, scope: str, opened: bool = False) -> str:
    anchor = f"{scope}-{row['ruling_id'][:12]}"
    body = votes(row) + failed_checks(row) + next_steps(row) + citations(row, anchor) + evidence(row, anchor) + provenance(row)
    return f'<details class="cv-ruling"{" open" if opened else ""}>{summary(row)}<div class="cv-body">{body}</div></details>'


def summary(row: Row) -> str:
    """Severity, entity, root cause, outcome: what is read before unfolding."""
    level, number = words.level(row["severity"]), words.severity(row["severity"])
    outcome = row["outcome"]
    tag = f'<span class="cv-tag cv-{escaped(outcome)}">{words.SYMBOLS.get(outcome, "")} {escaped(words.outcome(outcome))}</span>'
    superseded = "" if row["in_force"] else ' <span class="cv-tag">Superseded</span>'
    return (
        f'<summary><span class="cv-score cv-{level}" title="Severity {number} of 100, {level}">'
        f'<span class="cv-sr">Severity </span>{number}</span>'
        f'<span><span class="cv-name">{entity(row["entity"])}</span> {tag}{superseded}'
        f'<span class="cv-cause" style="margin-top:.1rem">{escaped(row["root_cause"], 700)}</span></span>'
        f'<span class="cv-side">{escaped(words.action(row["action"]))}<br>'
        f'<span class="cv-num">{words.short(row["last_at"])}</span></span>'
        "</summary>"
    )


def entity(name: str) -> str:
    """An entity's name: what it is called, then softly its kind and currency."""
    kind, subject, qualifier = words.named(name)
    if kind == "Series":
        subject, qualifier = f"{subject} {qualifier}", ""
    said = ", ".join(part for part in (kind.lower(), qualifier) if part)
    return f'{escaped(subject)} <span class="cv-soft">{escaped(said)}</span>'


def votes(row: Row) -> str:
    """The three members side by side, each with its vote, confidence and reason."""
    shown = "".join(vote(opinion) for opinion in row["opinions"])
    return f'<section aria-label="Votes"><div class="cv-votes">{shown}</div></section>'


CAST = {"confirm": ("▲ Confirm", "for"), "dismiss": ("○ Dismiss", "against"), "unsure": ("◆ Unsure", "open")}


def vote(opinion: Row) -> str:
    """A member's vote; without one, why there is none."""
    said, stance = CAST.get(str(opinion.get("vote")), ("No opinion", "none"))
    sure = f" · {opinion['confidence']}" if opinion.get("confidence") else ""
    veto = ' <span class="cv-tag cv-unresolved">Veto</span>' if opinion.get("veto") else ""
    reasons = " ".join(opinion.get("said") or [opinion.get("fault") or "This member gave no opinion."])
    return (
        f'<div class="cv-vote cv-{stance}"><b>{escaped(words.role(str(opinion.get("role", ""))))}</b> '
        f'<span class="cv-soft">{escaped(said + sure)}</span>{veto}<p>{escaped(reasons, 1200)}</p></div>'
    )


def failed_checks(row: Row) -> str:
    """Only what did not hold; that all held is said in a line."""
    checks = row["checks"] or []
    failed = [check for check in checks if not check.get("ok")]
    if not failed:
        return f'<p class="cv-from">✓ {len(checks)} of {len(checks)} checks hold.</p>' if checks else ""
    lines = "".join(
        f"<li><b>{escaped(str(check.get('check', '')).replace('_', ' '))}</b> {escaped(check.get('item') or '')} "
        f'<span class="cv-soft">{escaped(check.get("detail") or "")}</span></li>'
        for check in failed
    )
    return f'<section><h3>{len(failed)} of {len(checks)} checks failed</h3><ul class="cv-checks">{lines}</ul></section>'


def next_steps(row: Row) -> str:
    """What to do, under the runbook section it comes from, and the commands proposed."""
    numbered = enumerate(row["next_steps"] or [], 1)
    lists = "".join(
        _steps(row, section_id, list(steps)) for section_id, steps in groupby(numbered, key=lambda one: one[1].get("section_id"))
    )
    tags = "".join(f'<span class="cv-tag">{escaped(commanded(command))}</span> ' for command in row["commands"] or [])
    return lists + (f"<section><h3>Commands</h3>{tags}</section>" if tags else "")


def _steps(row: Row, section_id: str | None, steps: list[tuple[int, Row]]) -> str:
    """Neighbouring steps of one section; it is named by its last heading when the brief holds it."""
    named = next((heading(item) for item in items(row) if section_of(item) == section_id), "the runbook").rpartition(" › ")[2]
    source = f" from {section_link(section_id, named)}" if section_id else ""
    lines = "".join(f'<li data-n="{place}.">{escaped(step.get("text", ""), 700)}</li>' for place, step in steps)
    return f'<section><h3>{"Next steps" if steps[0][0] == 1 else "Then"}{source}</h3><ul class="cv-steps">{lines}</ul></section>'


def commanded(command: Row) -> str:
    return f"{words.action(command['action'])}: {command['target']} ({command['state']})"


def provenance(row: Row) -> str:
    """Which council spoke, why that one, when, and how long it took."""
    spoke = f"Ruled by {row['model'] or 'a model'}" if row["council"] == "model" else "Ruled by the rules council"
    why = f" ({words.visible(row['why'].removeprefix('ruled by rules: '), 240)})" if row["why"] else ""
    said = (
        f"{spoke}{why}, {words.instant(row['ruled_at'])}, in {words.quantity(row['latency_ms'], 'ms')}, "
        f"confidence {row['confidence'] * 100:.0f} %."
    )
    opened = words.link("entity", name=row["entity"])
    return f'<p class="cv-from">{escaped(said, 600)} Case revision {row["revision"]}. <a href="{opened}">Open the entity</a></p>'
