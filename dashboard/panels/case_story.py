"""The timeline of a case: people, the desk, rulings, model calls, commands, deliveries, feedback."""

from collections.abc import Callable

import streamlit as st

from dashboard import markup, reading, timeline
from dashboard.panels import download
from desk.timeline import read

Part = Callable[[reading.Row], None]
Drawn = Callable[[], None]
MOST = 1_000


def show(row: reading.Row) -> None:
    found = read(reading.tenant(), reading.caller().tenant, row["case_id"], limit=MOST)
    st.html(timeline.timeline(found) if found else markup.note("<b>Nothing has happened yet.</b>"))
    if len(found) == MOST:
        st.html(f'<p class="cv-soft">The first {MOST:,} entries; the rest is in the API.</p>')
    download.offer(found, "timeline")
