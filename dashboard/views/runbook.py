"""The runbook: its sections, search, documents with upload, and sections proposed from resolved cases."""

import streamlit as st

from dashboard import lists, markup, reading, shell, words
from dashboard.panels import documents, proposals, searching

NONE = "<b>The runbook is empty.</b> Upload a document, or add a file with <code>conclave runbook add data/runbook.md</code>."


def section(section_id: str) -> None:
    """One section as it is written now, else as it was last written."""
    found = reading.one("dashboard_section", section_id=section_id) or reading.one(
        "dashboard_section_once", section_id=section_id
    )
    if found is None:
        st.html(
            markup.note(
                f"<b>No section is named {words.escaped(section_id, 200)}.</b> It may have been renamed since it was cited."
            )
        )
        return
    path = found["heading_path"]
    st.html(markup.title(path[-1] if path else found["title"], " › ".join([found["title"], *path[:-1]])))
    if found.get("until") is not None:
        st.html(markup.note(f"<b>This is how it was until {words.instant(found['until'])}.</b> The runbook no longer says so."))
    st.markdown(words.markdown(found["body"]))
    st.html(f'<p class="cv-soft">{words.escaped(found["source"])}, updated {words.instant(found["updated_at"])}</p>')


def sections() -> None:
    chosen = st.query_params.get("section", "")
    contents = reading.rows("dashboard_sections")
    if not contents and not chosen:
        st.html(markup.note(NONE))
        return
    main, side = st.columns([2, 1], gap="large")
    with main:
        section(chosen or contents[0]["section_id"])
    with side:
        st.html(lists.contents(contents, chosen or contents[0]["section_id"]) if contents else "<span></span>")


shell.begin()
read, find, docs, proposed = st.tabs(["Sections", "Search", "Documents", "Proposals"], key="tab", bind="query-params")
with read:
    shell.guarded(sections)()
with find:
    shell.still(searching.show)
with docs:
    shell.live(documents.listed)
    shell.still(documents.change)
with proposed:
    shell.still(proposals.show)
