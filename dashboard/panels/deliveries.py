"""The delivery log, and dead letters that can be sent again."""

import streamlit as st

from dashboard import markup, reading, shell, telling
from dashboard.panels import choice, download
from notify import sent
from trust.roles import Role

STATES = {"All": None, "Sent": "sent", "Waiting": "waiting", "Given up": "dead", "Skipped": "skipped"}


def log() -> None:
    state = choice.of("State", STATES, "deliveries")
    found = sent.deliveries(reading.tenant(), reading.caller().tenant, state=state, limit=100)
    st.html(markup.head("Delivery log", "newest first"))
    st.html(
        telling.deliveries(found) if found else markup.note("<b>Nothing was sent.</b> Messages leave when a route takes them.")
    )
    download.offer(found, "deliveries")


def dead() -> None:
    """What was given up, with why; one or all of a channel go round again."""
    found = sent.deliveries(reading.tenant(), reading.caller().tenant, state="dead", limit=100)
    st.html(markup.head("Dead letters", "given up after every attempt; nothing is lost, they can be sent again"))
    if not found:
        st.html(markup.note("<b>Every message arrived.</b>"))
        return
    st.html(telling.deliveries(found))
    if not shell.may(Role.admin, "Sending again", "channels"):
        return
    names = sorted({row["channel_id"] for row in found})
    with st.form("replay", border=False, width=360):
        st.selectbox("Send all of a channel again", names, key="replay-which")
        st.form_submit_button("Send again", type="primary", on_click=_replay)


def _replay() -> None:
    name = st.session_state["replay-which"]

    def again() -> None:
        with reading.tenant().connection() as connection:
            sent.replay_dead(connection, reading.caller(), name, shell.now())

    shell.change(again, f"The dead letters of {name} go round again.", role=Role.admin, scope="channels")
