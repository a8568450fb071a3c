"""Who is told of what: routes, channels with their test button, delivery log, dead letters, topics, maintenance windows."""

import streamlit as st

from dashboard import shell
from dashboard.panels import channels, deliveries, maintenance, routes

shell.begin()
st.html('<h1 class="cv-sr">Alerts and channels</h1>')
rules, places, log, dead, kept, planned = st.tabs(
    ["Routes", "Channels", "Delivery log", "Dead letters", "Topics", "Maintenance"], key="tab", bind="query-params"
)
with rules:
    shell.still(routes.show)
with places:
    shell.still(channels.show)
with log:
    shell.live(deliveries.log)
with dead:
    shell.still(deliveries.dead)
with kept:
    shell.still(routes.topics)
with planned:
    shell.still(maintenance.show)
