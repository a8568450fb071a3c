"""The dashboard: `conclave dashboard`, or `streamlit run dashboard/app.py`."""

import streamlit as st

from dashboard import look

# The folder is not called `pages`: Streamlit would take it for its older kind of app and, in the first session after a start,
# run a page without this file.
PAGES = [
    st.Page("views/live.py", title="Live", url_path="live", default=True),
    st.Page("views/entity.py", title="Entity", url_path="entity"),
    st.Page("views/health.py", title="Health", url_path="health"),
    st.Page("views/runbook.py", title="Runbook", url_path="runbook"),
]

page = st.navigation(PAGES, position="top")
st.set_page_config(page_title=f"{page.title} · Conclave", page_icon="◬", layout="wide", initial_sidebar_state="collapsed")
st.logo(look.wordmark(st.context.theme.type), size="large")
page.run()
