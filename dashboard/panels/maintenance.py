"""Maintenance windows: cases that begin in one are held quiet, and shown as such."""

from datetime import datetime, time, timedelta

import streamlit as st

from dashboard import markup, reading, shell, telling, words
from desk import quiet
from trust.roles import Role

KINDS = ["account", "counterparty", "service", "series"]
NONE = "<b>No window is planned.</b> Plan one before a deploy, so that its cases do not call anybody."


def show() -> None:
    found = quiet.windows(reading.tenant(), reading.caller().tenant, current=True)
    st.html(markup.head("Maintenance windows", f"times in {words.zone(shell.now())}"))
    st.html(telling.windows(found) if found else markup.note(NONE))
    if not shell.may(Role.analyst, "Planning a window", "cases"):
        return
    with st.container(horizontal=True):
        _plan()
        if found:
            names = {row["window_id"]: words.visible(row["title"], 80) for row in found}
            with st.popover("End one now", key="open-end-window"), st.form("end-window", border=False):
                st.selectbox("Window", list(names), format_func=names.__getitem__, key="end-window-which")
                st.form_submit_button("End", on_click=_end)


def _plan() -> None:
    there = shell.now().astimezone(shell.zone())
    with st.popover("Plan a window", key="open-plan"), st.form("plan-window", border=False):
        st.text_input("What is planned", key="window-title", max_chars=200)
        st.text_input("Entities", "service:*", key="window-pattern", max_chars=200, help="* and ? stand for anything")
        st.multiselect("Only kinds", KINDS, key="window-kinds")
        st.date_input("Day", there.date(), key="window-day")
        st.time_input("From", time(there.hour, 0), key="window-from")
        st.number_input("Hours", 0.25, 720.0, 2.0, 0.25, key="window-hours")
        st.form_submit_button("Plan", type="primary", on_click=_planned)


def _planned() -> None:
    state = st.session_state
    starts = datetime.combine(state["window-day"], state["window-from"], shell.zone())

    def plan() -> None:
        with reading.tenant().connection() as connection:
            quiet.plan(
                connection, reading.caller(), title=state["window-title"], pattern=state["window-pattern"], starts_at=starts,
                ends_at=starts + timedelta(hours=float(state["window-hours"])), kinds=list(state["window-kinds"]),
            )  # fmt: skip

    shell.change(plan, "The window is planned.", scope="cases")


def _end() -> None:
    window_id = st.session_state["end-window-which"]

    def end() -> None:
        with reading.tenant().connection() as connection:
            quiet.end(connection, reading.caller(), window_id, shell.now())

    shell.change(end, "The window is over; what it held is released.", scope="cases")
