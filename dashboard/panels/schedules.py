"""Schedules: what runs when, what came of it, run now, pause."""

import streamlit as st

from dashboard import markup, pipes, reading, shell, words
from schedule import schedules
from store.database import Connection
from trust.roles import Role

NONE = "<b>No schedule yet.</b> <code>conclave operate</code> makes the usual ones: digest, retention, quality report, re-index."


def show() -> None:
    who = reading.caller()
    found = schedules.every(reading.tenant(), who.tenant)
    st.html(markup.head("Schedules", "one run across all workers; nothing new means the last answer again, marked"))
    st.html(pipes.schedules(found) if found else markup.note(NONE))
    if not found:
        return
    with st.container(horizontal=True):
        name = str(st.selectbox("Schedule", [row["schedule_id"] for row in found], key="schedule-which", width=260))
        row = next(row for row in found if row["schedule_id"] == name)
        if who.may(Role.admin, "schedules"):
            st.button("Run now", key="schedule-run", type="primary", on_click=_do, args=("run", name))
            st.button(
                "Pause" if row["enabled"] else "Go on",
                key="schedule-pause",
                on_click=_do,
                args=("pause" if row["enabled"] else "go", name),
            )
    runs = schedules.runs(reading.tenant(), who.tenant, name, limit=10)
    for run in runs:
        text = str((run["result"] or {}).get("text") or run["error"] or "")
        took = "" if run["finished_at"] is None else f" in {words.age((run['finished_at'] - run['started_at']).total_seconds())}"
        with st.expander(f"{words.short(run['started_at'])}: {run['state']}{took}", key=f"run-{run['run_id']}"):
            st.html(f'<pre style="white-space:pre-wrap">{words.plain(text, 6000)}</pre>' if text else "<p>No text.</p>")
    shell.may(Role.admin, "Running and pausing", "schedules")


DONE = {"run": "A worker takes it at once.", "pause": "It is paused.", "go": "It goes on."}


def _do(verb: str, name: str) -> None:
    def do() -> None:
        with reading.tenant().connection() as connection:
            _done(connection, verb, name)

    shell.change(do, f"{name}: {DONE[verb]}", role=Role.admin, scope="schedules")


def _done(connection: Connection, verb: str, name: str) -> None:
    who = reading.caller()
    if verb == "run":
        schedules.run_now(connection, who.tenant, who.actor, name, shell.now())
    else:
        schedules.pause(connection, who.tenant, who.actor, name, shell.now(), enabled=verb == "go")
