"""The draft of a suspicious-activity report: subject, period, amounts, narrative, evidence table. A person checks and files it.

The parts follow FinCEN's guidance on narratives: who, what, when, where, why and how.
"""

import math
from collections import defaultdict
from typing import Any

from desk.reports import case_report
from desk.reports.gathered import Gathered
from desk.reports.wording import UNKNOWN, amount, measured, said, share, table, when, words

Row = dict[str, Any]
BLANK = "_to be completed by the filing institution_"
HEADINGS = ["event", "time", "subject", "seen", "expected range", "counterparty"]


def suspicious_activity(gathered: Gathered) -> str:
    """The draft as Markdown; what the records do not hold is left to the filer, in words."""
    case, subjects = gathered.case, sorted({row["entity"] for row in gathered.members})
    payments = [row for row in gathered.evidence if row["unit"] == "amount"]
    identity = f"- Legal name, address, identification: {BLANK}"
    parts = [
        [
            "# Suspicious-activity report (draft, not filed)",
            "",
            f"Case `{case['case_id']}`. Drafted by software from its records.",
        ],
        ["## Who", "", *(f"- {said(subject)}" for subject in subjects), identity],
        ["## When and how much", "", f"- From {when(case['started_at'])} to {when(case['last_at'])}", *totals(payments)],
        ["## What and how", "", *narrative(gathered.members)],
        ["## Where", "", *places(payments)],
        ["## Why it is suspicious", "", *reasons(payments or gathered.evidence)],
        ["## Evidence", "", *table(HEADINGS, [flagged(row) for row in gathered.evidence])],
        case_report.commands(gathered.commands),
        ["## Filer", "", f"- Institution, contact, date, signature: {BLANK}", ""],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def totals(payments: list[Row]) -> list[str]:
    """Flagged amounts by currency; each event once, however many members flagged it."""
    sums: dict[str, dict[str, float]] = defaultdict(dict)
    for row in payments:
        sums[row["currency"] or ""][row["event_id"]] = row["value"]
    return [
        f"- {len(of)} flagged payments, together {amount(math.fsum(of.values()), currency)}"
        for currency, of in sorted(sums.items())
    ] or [f"- Flagged amounts: {UNKNOWN}"]


def narrative(members: list[Row]) -> list[str]:
    lines = []
    for row in members:
        if row["root_cause"]:
            ruled = f"{row['outcome']}, confidence {share(row['confidence'])}, {case_report.council(row)}"
            lines.append(f"- {said(row['entity'])}: {said(row['root_cause'], 800)} (ruled {ruled})")
    return lines or [f"- {BLANK}"]


def places(payments: list[Row]) -> list[str]:
    counterparties = sorted({row["counterparty"] for row in payments if row["counterparty"]})
    return [f"- Counterparty {said(name)}" for name in counterparties[:50]] or [f"- {UNKNOWN}"]


def reasons(rows: list[Row]) -> list[str]:
    """The worst hit of each detector."""
    worst = {row["detector"]: row for row in sorted(rows, key=lambda row: float(row["severity"]))}
    lines = []
    for name, row in sorted(worst.items()):
        seen, expected = measured(row, "value"), measured(row, "expected")
        lines.append(f"- {words(name)}: {seen} where {expected} was expected ({when(row['event_time'])})")
    return lines or [f"- {UNKNOWN}"]


def flagged(row: Row) -> list[str]:
    expected, counterparty = f"{measured(row, 'low')} to {measured(row, 'high')}", said(row["counterparty"] or "")
    return [
        said(row["event_id"], 40),
        when(row["event_time"]),
        said(row["entity"]),
        measured(row, "value"),
        expected,
        counterparty,
    ]
