"""The case report: what happened, how it is known, what was decided and done."""

from typing import Any

from desk.reports.gathered import Gathered
from desk.reports.wording import amount, measured, said, share, table, when, words

Row = dict[str, Any]
HEADINGS = ["time", "of", "seen", "expected", "detector", "severity", "counterparty"]


def case_report(gathered: Gathered) -> str:
    """The whole case as Markdown."""
    title = f"# Case report: {said(gathered.case['title'], 120)}"
    parts = [
        head(gathered.case),
        rulings(gathered.members),
        evidence(gathered),
        commands(gathered.commands),
        course(gathered.entries),
    ]
    return "\n\n".join([title, *("\n".join(part) for part in parts), ""])


def head(case: Row) -> list[str]:
    """The facts of the case, a line each."""
    return [
        f"- Case: `{case['case_id']}`",
        f"- Of: {said(case['entity'])} ({case['members']} joined, {case['hits']} flagged)",
        f"- Status: {words(case['status'])}, assigned to {said(case['assignee'] or 'nobody')}",
        f"- Severity: {case['severity']:.2f} of 1",
        f"- Happened: {when(case['started_at'])} to {when(case['last_at'])}",
        f"- Expected loss: {amount(case['expected_loss'], case['loss_currency'])} ({said(case['loss_words'])})",
        f"- Opened: {when(case['opened_at'])}; acknowledged: {when(case['acknowledged_at'])}",
        *closing(case),
    ]


def closing(case: Row) -> list[str]:
    if case["closed_at"] is None:
        return []
    why = f"{words(case['reason'])}. {said(case['reason_text'] or '')}".strip()
    return [f"- Closed: {when(case['closed_at'])} by {said(case['closed_by'])}: {why}"]


def rulings(members: list[Row]) -> list[str]:
    """What the council ruled on each member, and which council it was."""
    return ["## Rulings", "", *(ruling(row) for row in members)]


def ruling(row: Row) -> str:
    joined = f" Joined because {said(row['joined_because'])}." if row["joined_because"] else ""
    if row["ruling_id"] is None:
        return f"- {said(row['entity'])}: no ruling in force.{joined}"
    how = f"{words(row['action'])}, confidence {share(row['confidence'])}, {council(row)}, {when(row['ruled_at'])}"
    ruled = f"**{said(row['entity'])}: {row['outcome']}** ({how}, brief {row['brief_hash'][:12]})"
    return f"- {ruled}. {said(row['root_cause'], 800)}{joined}"


def council(row: Row) -> str:
    """Which council spoke."""
    return f"by the model {said(row['model'])}" if row["council"] == "model" else "by rules, without a model"


def evidence(gathered: Gathered) -> list[str]:
    """The flagged events as a table."""
    rows = [flagged(row) for row in gathered.evidence]
    cut = [f"The first {len(rows)} flagged events; there are more.", ""] if gathered.cut else []
    return ["## Evidence", "", *cut, *table(HEADINGS, rows)]


def flagged(row: Row) -> list[str]:
    seen, expected = measured(row, "value"), measured(row, "expected")
    severity, counterparty = f"{row['severity']:.2f}", said(row["counterparty"] or "")
    return [when(row["event_time"]), said(row["entity"]), seen, expected, words(row["detector"]), severity, counterparty]


def commands(rows: list[Row]) -> list[str]:
    """What was proposed and what became of it."""
    if not rows:
        return ["## Commands", "", "None was proposed."]
    lines = [f"- {words(row['action'])} on {said(row['target'])}: {words(row['state'])}{decided(row)}" for row in rows]
    return ["## Commands", "", *lines]


def decided(row: Row) -> str:
    by = f", decided by {said(row['decided_by'])} {when(row['decided_at'])}" if row["decided_by"] else ""
    return by + (f", executed {when(row['executed_at'])}" if row["executed_at"] else "")


def course(entries: list[Row]) -> list[str]:
    """The timeline, a line an entry."""
    return ["## Timeline", "", *(f"- {when(row['at'])} {said(row['who'] or '', 60)} {said(row['said'])}" for row in entries)]
