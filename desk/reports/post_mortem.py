"""A post-mortem, blameless and begun: what the records know is filled in, what only people know is asked."""

from typing import Any

from desk.reports import case_report
from desk.reports.gathered import Gathered
from desk.reports.wording import amount, said, when

Row = dict[str, Any]
ASKED = "_To be written by those who were there._"


def post_mortem(gathered: Gathered) -> str:
    """Markdown with impact, duration, detection, course, cause, and questions for the meeting."""
    causes = [f"- {said(row['root_cause'], 800)}" for row in gathered.members if row["root_cause"]] or ["Not established."]
    steps = dict.fromkeys(f"- [ ] {said(step['text'])}" for row in gathered.members for step in row["next_steps"] or ())
    parts = [
        [
            f"# Post-mortem: {said(gathered.case['title'], 120)}",
            "",
            f"Case `{gathered.case['case_id']}`, drafted from its records.",
        ],
        ["## Impact", "", *impact(gathered.case)],
        ["## Detection", "", detection(gathered)],
        ["## Cause, as the council ruled", "", *causes, "", f"What people found: {ASKED}"],
        case_report.course(gathered.entries),
        case_report.commands(gathered.commands),
        ["## What helped, what hindered", "", ASKED],
        ["## Follow-ups", "", *steps, f"- [ ] {ASKED}", ""],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def impact(case: Row) -> list[str]:
    return [
        f"- From {when(case['started_at'])} to {when(case['last_at'])}",
        f"- {case['hits']} flagged events on {case['members']} entities",
        f"- Expected loss: {amount(case['expected_loss'], case['loss_currency'])} ({said(case['loss_words'])})",
        f"- Felt by: {ASKED}",
    ]


def detection(gathered: Gathered) -> str:
    """How long after the first flagged event the case was opened; replayed events are old, so this may be long."""
    if not gathered.evidence:
        return "No flagged event is kept any more."
    return f"The case was opened {gathered.case['opened_at'] - gathered.evidence[0]['event_time']} after its first flagged event."
