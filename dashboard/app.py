"""The dashboard: `conclave dashboard`, or `streamlit run dashboard/app.py`."""

import streamlit as st

from dashboard import look

PAGES = [
    st.Page("pages/live.py", title="Live", url_path="live", default=True),
    st.Page("pages/entity.py", title="Entity", url_path="entity"),
    st.Page("pages/health.py", title="Health", url_path="health"),
    st.Page("pages/runbook.py", title="Runbook", url_path="runbook"),
]

page = st.navigation(PAGES, position="top")
st.set_page_config(page_title=f"{page.title} · Conclave", page_icon="◬", layout="wide", initial_sidebar_state="collapsed")
st.logo(look.wordmark(st.context.theme.type), size="large")
page.run()
