"""One case: what happened, what the council says of it, and what a person can do."""

import streamlit as st

from dashboard import cases, markup, reading, shell, words
from dashboard.panels import case_actions, case_commands, case_evidence, case_related, case_report, case_story

NO_CASE = '<b>No case is named {}.</b> It may have been erased; look for it in the <a href="inbox?view=All">inbox</a>.'
CHOOSE = '<b>Which case?</b> Open one from the <a href="inbox">inbox</a>.'


def found() -> reading.Row | None:
    """The case that the address names, as it stands; a member's id leads to its head."""
    return reading.one("dashboard_case", case_id=st.query_params.get("case", ""))


def head() -> None:
    row = found()
    if row is None:
        return
    quiet = cases.quiet(row)
    st.html(
        cases.headline(row)
        + markup.facts(cases.facts(row))
        + (f'<p class="cv-quote" style="margin-top:.8rem">{quiet}</p>' if quiet else "")
    )


def part(render: "case_story.Part") -> "case_story.Drawn":
    """`render` of the case as it stands at each drawing."""

    def drawn() -> None:
        row = found()
        if row is not None:
            render(row)

    return drawn


shell.begin()
if found() is None:
    named = st.query_params.get("case", "")
    st.html(markup.note(NO_CASE.format(words.escaped(named, 100)) if named else CHOOSE))
else:
    shell.live(head)
    shell.still(part(case_actions.show))
    ruling, story, evidence, related = st.tabs(["Ruling", "Timeline", "Evidence", "Related"], key="tab", bind="query-params")
    with ruling:
        shell.live(part(case_commands.show))
        shell.live(part(case_evidence.rulings))
        shell.still(part(case_evidence.feedback))
    with story:
        shell.live(part(case_story.show))
        shell.still(part(case_report.show))
    with evidence:
        shell.live(part(case_evidence.charts))
    with related:
        shell.still(part(case_related.show))
