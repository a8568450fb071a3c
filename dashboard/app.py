"""The dashboard: `conclave dashboard`, or `streamlit run dashboard/app.py`."""

import streamlit as st

from dashboard import look, visitor
from dashboard.panels import footer
from observe.telemetry.work import drawn
from store.errors import ConclaveError
from trust.roles import Caller

# The folder is not called `pages`: Streamlit would take it for its older kind of app and, in the first session after a start,
# run a page without this file.
GROUPS = {
    "": [
        st.Page("views/inbox.py", title="Inbox", url_path="inbox", default=True),
        st.Page("views/live.py", title="Live", url_path="live"),
        st.Page("views/entity.py", title="Entities", url_path="entity"),
        st.Page("views/council.py", title="Council", url_path="council"),
        st.Page("views/chat.py", title="Ask", url_path="chat"),
        st.Page("views/case.py", title="Case", url_path="case", visibility="hidden"),
        st.Page("views/trace.py", title="Trace", url_path="trace", visibility="hidden"),
    ],
    "More": [
        st.Page("views/runbook.py", title="Runbook", url_path="runbook"),
        st.Page("views/traces.py", title="LLM traces", url_path="traces"),
        st.Page("views/alerts.py", title="Alerts and channels", url_path="alerts"),
        st.Page("views/processing.py", title="Pipelines", url_path="pipelines"),
        st.Page("views/health.py", title="Health", url_path="health"),
        st.Page("views/settings.py", title="Settings", url_path="settings"),
    ],
}


def reader() -> tuple[Caller | None, bool]:
    """Who is signed in, and whether the database could say so."""
    try:
        return visitor.caller(), True
    except ConclaveError:
        return None, False


who, asked = reader()
page = st.navigation(GROUPS, position="top" if who is not None or not asked else "hidden")
st.set_page_config(page_title=f"{page.title} · Conclave", page_icon="◬", layout="wide", initial_sidebar_state="collapsed")
st.logo(look.wordmark(st.context.theme.type), size="large")
with drawn(page.title):
    page.run()
if who is not None:
    footer.show(who)
