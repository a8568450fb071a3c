"""Whether the system itself is well: streams, ledger, quarantine, workers, what gave up, and space."""

import streamlit as st

from dashboard import charts, markup, reading, shell, summary, tables
from store.settings import settings


def streams() -> None:
    workers = reading.rows("dashboard_workers")
    found = reading.rows("dashboard_streams")
    st.html(summary.status(reading.pulse()))
    st.html(
        markup.strip(
            summary.health(found, workers, reading.rows("dashboard_docket"), reading.rows("dashboard_refusals", most=20)),
            "Health",
        )
    )
    st.html(tables.streams(found) + tables.workers(workers))


def ledger() -> None:
    found = reading.rows("dashboard_ledger", most=80)
    st.html(markup.head("Ledger", "committed batches, newest first; times are wall clock"))
    if not found:
        st.html(markup.note(summary.NO_EVENTS))
        return
    shell.chart(
        charts.progress(reading.frame(found, reading.BATCHES), shell.colours()), "progress", "Events of each committed batch"
    )
    st.html(tables.ledger(found[:12]))


def quarantine() -> None:
    st.html(tables.refusals(reading.rows("dashboard_refusals", most=20), reading.rows("dashboard_refused", most=8)))


def dead() -> None:
    st.html(tables.dead(reading.rows("dashboard_dead", most=20)))


def space() -> None:
    st.html(tables.sizes(reading.rows("table_sizes"), settings().retention, reading.rows("dashboard_maintenance")))


shell.begin()
st.html('<h1 class="cv-sr">Health</h1>')
for part in (streams, ledger, quarantine):
    shell.live(part)
wide, narrow = st.columns([3, 2], gap="medium")
with wide:
    shell.live(space)
with narrow:
    shell.live(dead)
