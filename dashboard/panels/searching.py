"""Search over runbook sections and past cases, each hit with its score and why it was found."""

import streamlit as st

from assistant.finding import find
from dashboard import answers, markup, reading

NOTHING = "<b>Nothing reads like this.</b> Try the words that the runbook would use."


def show() -> None:
    typed = st.text_input(
        "Search",
        key="words",
        placeholder="Words, or a question",
        icon=":material/search:",
        bind="query-params",
        label_visibility="collapsed",
        max_chars=500,
    )
    if not (typed or "").strip():
        st.html(markup.note("<b>Search the runbook and past cases</b> by words and meaning."))
        return
    found = find(reading.tenant(), reading.caller().tenant, str(typed).strip(), limit=8)
    st.html(
        markup.head("Found", "the score is of words and meaning together") + answers.hits(found)
        if found
        else markup.note(NOTHING)
    )
