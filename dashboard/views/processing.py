"""Pipelines: topics, segments, processors with dry run and live, lists, hits, schedules."""

import streamlit as st

from dashboard import shell
from dashboard.panels import processors, rule_hits, schedules, segments, topics

shell.begin()
st.html('<h1 class="cv-sr">Pipelines</h1>')
rules, parts, come, data, hit, timed = st.tabs(
    ["Processors", "Segments", "Topics", "Lists", "Hits", "Schedules"], key="tab", bind="query-params"
)
with rules:
    shell.still(processors.show)
with parts:
    shell.still(segments.show)
with come:
    shell.still(topics.show)
with data:
    shell.still(topics.show_lists)
with hit:
    shell.live(rule_hits.show)
with timed:
    shell.still(schedules.show)
