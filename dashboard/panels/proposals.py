"""Runbook sections proposed from resolved cases: read, edited, accepted or rejected by a person before they are used."""

import streamlit as st

from assistant import proposals
from assistant.proposals import accept, edit, reject
from dashboard import markup, people, reading, shell, words
from dashboard.panels import choice
from trust.roles import Role

STATES = {"To review": "proposed", "Accepted": "accepted", "Rejected": "rejected", "All": None}
NONE = "<b>Nothing here.</b> Resolved cases become proposals each night, or from a case's page."


def show() -> None:
    state = choice.of("State", STATES, "proposals")
    found = proposals.listed(reading.tenant(), reading.caller().tenant, limit=50, state=state)
    st.html(markup.head("Proposed sections", "used in retrieval only once somebody has accepted them"))
    if not found:
        st.html(markup.note(NONE))
    able = reading.caller().may(Role.analyst, "documents")
    for row in found:
        one(row, able)
    if found and not able:
        shell.may(Role.analyst, "Reviewing", "documents")


def one(row: reading.Row, able: bool) -> None:
    key, version = row["proposal_id"], row["version"]
    drafted = "a model" if row["drafted_by"] == "model" else "rules"
    with st.container(border=True, key=f"proposal-{key}"):
        st.html(
            f'<h3 class="cv-title">{words.escaped(row["title"], 200)}</h3><p class="cv-soft">From '
            f'<a href="{words.link("case", case=row["case_id"])}">{words.escaped(row["case_id"], 80)}</a>, drafted by {drafted}, '
            f"{words.instant(row['proposed_at'])}. {words.escaped(_decided(row), 300)}</p>"
        )
        if row["state"] == "proposed" and able:
            st.text_input("Title", row["title"], key=f"title-{key}-{version}", max_chars=200)
            st.text_area("Text", row["body"], key=f"body-{key}-{version}", height=260)
            with st.container(horizontal=True):
                st.button("Accept", key=f"accept-{key}", type="primary", on_click=_accept, args=(key, version))
                st.button("Keep my edits", key=f"edit-{key}", on_click=_edit, args=(key, version))
                with st.popover("Reject", key=f"open-reject-{key}"), st.form(f"reject-{key}", border=False):
                    st.text_input("Why", key=f"why-{key}", max_chars=500)
                    st.form_submit_button("Reject", on_click=_reject, args=(key, version))
        else:
            st.markdown(words.markdown(row["body"]))


def _decided(row: reading.Row) -> str:
    if row["state"] == "proposed":
        return ""
    return f"{row['state'].capitalize()} by {people.called(row['decided_by'])}. {row['reason']}"


def _edited(key: str, version: int) -> reading.Row:
    state = st.session_state
    return edit(
        reading.tenant(),
        reading.caller(),
        key,
        version,
        title=state[f"title-{key}-{version}"],
        body=state[f"body-{key}-{version}"],
    )


def _edit(key: str, version: int) -> None:
    shell.change(lambda: _edited(key, version), "Your edits are kept.", scope="documents")


def _accept(key: str, version: int) -> None:
    def take() -> None:
        now_at = _edited(key, version)["version"]
        accept(reading.tenant(), reading.caller(), key, now_at, shell.now())

    shell.change(take, "The section is part of the runbook.", scope="documents")


def _reject(key: str, version: int) -> None:
    why = str(st.session_state.get(f"why-{key}", ""))
    shell.change(
        lambda: reject(reading.tenant(), reading.caller(), key, version, shell.now(), why), "It is rejected.", scope="documents"
    )
