"""A runbook section as it was written: where a citation leads."""

import streamlit as st

from dashboard import lists, markup, reading, shell, words

NONE = "<b>The runbook is empty.</b> Add a file with <code>conclave runbook add data/runbook.md</code>."


def section(section_id: str) -> None:
    found = reading.one("dashboard_section", section_id=section_id)
    if found is None:
        st.html(
            markup.note(
                f"<b>No section is named {words.escaped(section_id, 200)}.</b> It may have been renamed since it was cited."
            )
        )
        return
    path = found["heading_path"]
    st.html(markup.title(path[-1] if path else found["title"], " › ".join([found["title"], *path[:-1]])))
    st.markdown(words.markdown(found["body"]))
    st.html(f'<p class="cv-soft">{words.escaped(found["source"])}, updated {words.instant(found["updated_at"])}</p>')


def show() -> None:
    chosen = st.query_params.get("section", "")
    contents = reading.rows("dashboard_sections")
    if not contents:
        st.html(markup.note(NONE))
        return
    main, side = st.columns([2, 1], gap="large")
    with main:
        section(chosen or contents[0]["section_id"])
    with side:
        st.html(lists.contents(contents, chosen or contents[0]["section_id"]))


shell.begin()
shell.guarded(show)()
