"""Filters under a name: kept per reader, each a set of query parameters of a page."""

import streamlit as st

from dashboard import reading, words
from store.database import run

NAME_CAP = 60


def bar(page: str, view: str, names: tuple[str, ...]) -> None:
    """A popover with the reader's filters of this page; `names` are the page's query parameters worth keeping."""
    who = reading.caller()
    with st.popover("Filters", icon=":material/bookmark:", type="tertiary", key=f"filters-{page}"):
        kept = reading.rows("dashboard_filters", owner=who.actor, page=page)
        for row in kept:
            _one(page, view, row)
        if not kept:
            st.caption("Nothing kept yet. Choose what you want to see, then give it a name here.")
        with st.form(f"keep-{page}", border=False, clear_on_submit=True):
            name = st.text_input("Keep what is chosen now as", max_chars=NAME_CAP, key=f"keep-name-{page}")
            if st.form_submit_button("Keep") and name.strip():
                _keep(page, name.strip(), {key: st.query_params[key] for key in names if key in st.query_params})
                st.rerun()


def _one(page: str, view: str, row: reading.Row) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(view, label=_plain(row["name"]), query_params={str(k): str(v) for k, v in row["query"].items()})
        if st.button("Forget", key=f"forget-{page}-{row['name']}", type="tertiary"):
            _forget(page, row["name"])
            st.rerun()


def _plain(name: str) -> str:
    """A label is read as markdown: only letters that mean nothing there."""
    return "".join(letter if letter.isalnum() or letter in " .,-" else " " for letter in words.visible(name, NAME_CAP)) or "?"


def _keep(page: str, name: str, query: dict[str, str]) -> None:
    who = reading.caller()
    with reading.tenant().connection() as connection:
        run(connection, "dashboard_filter_put", tenant=who.tenant, owner=who.actor, page=page, name=name, query=query)
    reading.forget()


def _forget(page: str, name: str) -> None:
    who = reading.caller()
    with reading.tenant().connection() as connection:
        run(connection, "dashboard_filter_drop", tenant=who.tenant, owner=who.actor, page=page, name=name)
    reading.forget()
