"""A case on paper, and what it teaches: reports as Markdown and PDF, a section proposed for the runbook."""

import streamlit as st

from assistant import proposals
from dashboard import markup, reading, shell
from dashboard.panels.voice import asking, speaker
from desk.reports.kinds import Format, Kind, report
from trust import audit
from trust.roles import Role

Row = reading.Row
KINDS: dict[Kind, str] = {"case": "Case report", "post-mortem": "Post-mortem", "suspicious-activity": "Suspicious-activity draft"}
FORMS: dict[Format, tuple[str, str]] = {"markdown": ("md", "text/markdown"), "pdf": ("pdf", "application/pdf")}
CLOSED = ("resolved", "dismissed")


def show(row: Row) -> None:
    """For analysts: each kind of report in both forms; for a closed case the proposal."""
    if not reading.caller().may(Role.analyst, "reports"):
        return
    st.html(markup.head("On paper", "personal data is masked; each export is in the audit log"))
    with st.container(horizontal=True):
        for kind, label in KINDS.items():
            with st.popover(label, key=f"report-{kind}", type="tertiary"):
                for form in FORMS:
                    _offer(row["case_id"], kind, form)
        if row["status"] in CLOSED:
            st.button("Propose a runbook section", key="propose", on_click=_propose, args=(row["case_id"],))


def _offer(case_id: str, kind: Kind, form: Format) -> None:
    who, place = reading.caller(), reading.tenant()
    ending, media = FORMS[form]

    def made() -> bytes:
        content = report(place, who.tenant, case_id, kind, form)
        with place.connection() as connection:
            audit.record(connection, who.tenant, who.actor, "report.export", case_id, {"kind": kind, "format": form})
        return content

    name = f"{kind}-{case_id}.{ending}"
    st.download_button(form.capitalize(), made, name, media, key=f"report-{kind}-{form}", on_click="ignore")


def _propose(case_id: str) -> None:
    def propose() -> None:
        voice, why = speaker()
        proposals.propose(asking(), reading.caller().actor, case_id, voice, why)

    shell.change(propose, "A section is proposed; review it under Runbook, Proposals.", scope="documents")
