"""What belongs to a case and what may: members, what would merge, links, similar past cases."""

import streamlit as st

from dashboard import casetables, markup, reading, shell, words
from dashboard.panels.case_steps import act_on_each
from desk import cases
from rag.search import similar_cases
from store.settings import settings
from trust.roles import Role

Row = reading.Row


def show(row: Row) -> None:
    able = reading.caller().may(Role.analyst, "cases")
    members(row, able)
    candidates(row, able)
    links(row)
    similar(row)


def members(row: Row, able: bool) -> None:
    found = reading.rows("dashboard_case_members", case_id=row["case_id"])
    st.html(markup.head("In this case", "each with why it was joined") + casetables.members(found))
    others = [one["case_id"] for one in found if not one["is_head"]]
    if able and others:
        names = {one["case_id"]: words.visible(one["entity"], 80) for one in found}
        with st.popover("Split", key="open-split"), st.form("form-split", border=False):
            st.multiselect("What does not belong here", others, format_func=names.__getitem__, key="split-which")
            st.caption("What you split is never joined here again by itself.")
            st.form_submit_button("Split", on_click=_split, args=(row["case_id"], row["version"]))


def _split(case_id: str, version: int) -> None:
    chosen = list(st.session_state["split-which"])
    shell.change(
        lambda: act_on_each(case_id, version, "split", "member", chosen),
        "It is split; the parts are cases of their own.",
        scope="cases",
    )


def candidates(row: Row, able: bool) -> None:
    """What would merge, and why; by hand, since what is sure was joined already."""
    found = list(cases.merge_candidates(reading.tenant(), reading.caller().tenant, row["case_id"], desk=settings().desk))
    st.html(markup.head("What would merge", "open cases that share something with this one"))
    if not found:
        st.html(markup.note("<b>Nothing open shares an entity, a cause or a neighbour with this case.</b>"))
        return
    st.html(casetables.candidates(found))
    if able:
        names = {one["case_id"]: words.visible(f"{one['entity']}: {one['because']}", 120) for one in found}
        with st.popover("Merge", key="open-merge"), st.form("form-merge", border=False):
            st.multiselect("Join to this case", list(names), format_func=names.__getitem__, key="merge-which")
            st.form_submit_button("Merge", on_click=_merge, args=(row["case_id"], row["version"]))


def _merge(case_id: str, version: int) -> None:
    chosen = list(st.session_state["merge-which"])
    shell.change(lambda: act_on_each(case_id, version, "merge", "other", chosen), "They are one case now.", scope="cases")


def links(row: Row) -> None:
    if found := reading.rows("desk_links", case_id=row["case_id"]):
        st.html(markup.head("Links") + casetables.links(found))


def similar(row: Row) -> None:
    """Past cases that read alike, by words and meaning, with what became of them."""
    st.html(markup.head("Similar past cases", "by their words and meaning"))
    ruled = reading.rows("dashboard_case_rulings", case_id=row["case_id"])
    text = f"{row['title']} {ruled[0]['root_cause'] if ruled else ''}"
    found = similar_cases(
        reading.tenant(), text, k=5, before=row["started_at"], exclude=[row["case_id"]], tenant=reading.caller().tenant
    )
    st.html(casetables.similar(found) if found else markup.note("<b>No past case is remembered yet.</b> Ruled cases are."))
