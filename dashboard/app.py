"""The dashboard: `conclave dashboard`, or `streamlit run dashboard/app.py`."""

import streamlit as st

MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 132 28"><g fill="none" stroke="{0}" stroke-width="2.4">'
    '<circle cx="9.5" cy="18" r="6.3"/><circle cx="18.5" cy="18" r="6.3"/><circle cx="14" cy="10.2" r="6.3"/></g>'
    '<text x="34" y="20.5" font-family="Source Sans, system-ui, sans-serif"'
    ' font-size="20" font-weight="650" fill="{1}">'
    "Conclave</text></svg>"
)
PAGES = [
    st.Page("pages/live.py", title="Live", url_path="live", default=True),
    st.Page("pages/entity.py", title="Entity", url_path="entity"),
    st.Page("pages/health.py", title="Health", url_path="health"),
    st.Page("pages/runbook.py", title="Runbook", url_path="runbook"),
]

dark = st.context.theme.type == "dark"
page = st.navigation(PAGES, position="top")
st.set_page_config(page_title=f"{page.title} · Conclave", page_icon="◬", layout="wide", initial_sidebar_state="collapsed")
st.logo(MARK.format("#8da4ff" if dark else "#2b4acb", "#e9eaec" if dark else "#1d1f23"), size="large")
page.run()
