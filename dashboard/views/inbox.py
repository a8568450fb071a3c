"""The inbox: what needs a person now, the costliest first, and what is quiet and why."""

from typing import Any

import streamlit as st

from dashboard import cases, markup, reading, shell, words
from dashboard.panels import choice, download, filters, reveal
from dashboard.panels.case_steps import acknowledge
from desk import cases as cases_
from trust.roles import Role

ALL = (*cases_.ACTIVE, "resolved", "dismissed")
VIEWS: dict[str, dict[str, Any]] = {
    "Needs me": {},
    "Mine": {"quiet": "all"},
    "With nobody": {"assignee": ""},
    "Overdue": {"late": True},
    "Snoozed": {"quiet": "snoozed"},
    "Held": {"quiet": "held"},
    "Closed": {"statuses": ("resolved", "dismissed"), "quiet": "all", "sort": "changed"},
    "All": {"statuses": ALL, "quiet": "all"},
}
KINDS = {"Any kind": None, "Accounts": "account", "Counterparties": "counterparty", "Services": "service", "Series": "series"}
SORTS = {"Urgency": "urgency", "Loss": "loss", "Severity": "severity", "Oldest": "oldest", "Newest": "newest"}
KEPT = ("view", "kind", "sort", "q", "tag")
PER_PAGE = 25
EMPTY = {
    "Needs me": "<b>Nothing needs you.</b> Confirmed and unresolved rulings appear here by themselves; "
    "<code>conclave operate</code> opens a case for each.",
    "Mine": "<b>You have no case.</b> Open one and take it.",
    "Overdue": "<b>Nothing is overdue.</b>",
    "Snoozed": "<b>Nothing is snoozed.</b>",
    "Held": "<b>Nothing is held.</b> A maintenance window keeps cases that begin in it quiet; plan one under Alerts.",
}
NO_CASE = "<b>No case is like this.</b> Choose another view, or take words out of the search."


def head() -> None:
    waiting = reading.rows("dashboard_waiting", actor=reading.caller().actor)[0]
    counts = reading.rows("desk_counts")[0]
    st.html(markup.strip(cases.tiles(counts, waiting), "What needs you") + cases.elsewhere(waiting))
    held = reading.rows("dashboard_held_by") if counts["held"] else []
    st.html("".join(f'<p class="cv-soft">{words.escaped(said(row), 300)}</p>' for row in held) or "<span></span>")


def said(row: reading.Row) -> str:
    return f"{row['cases']} held by “{row['title']}” until {words.instant(row['ends_at'])}."


def listed() -> None:
    with st.container(horizontal=True, gap="small"):
        view = choice.one("View", list(VIEWS), "view")
        sort = SORTS[choice.one("Order", list(SORTS), "sort")]
    with st.container(horizontal=True, gap="small"):
        kind = choice.of("Kind", KINDS, "kind")
        typed = choice.typed("Find", "q", "A part of a name, title or id")
    tag = st.query_params.get("tag") or None
    asked = {"sort": sort, "kind": kind, "q": reveal.searched(typed) or None, "tag": tag, **VIEWS[view]}
    asked |= {"assignee": reading.caller().actor} if view == "Mine" else {}
    most = st.session_state.setdefault("inbox_most", PER_PAGE)
    page = cases_.inbox(reading.tenant(), reading.caller().tenant, cases_.Filters(**asked, limit=most))
    found = [{**row, "now": shell.now()} for row in page.items]
    if not found:
        st.html(markup.note(NO_CASE if typed or tag or kind else EMPTY.get(view, NO_CASE)))
    else:
        chosen = min(st.session_state.get("inbox_place", 0), len(found) - 1)
        st.html(cases.inbox(found, found[chosen]["case_id"]))
        keys(found, chosen)
    with st.container(horizontal=True):
        if page.next:
            st.button(f"Show more of {page.of_all}", key="inbox-more", on_click=_more)
        download.offer(page.items, "cases")
        filters.bar("inbox", "views/inbox.py", KEPT)


def _more() -> None:
    st.session_state["inbox_most"] += 4 * PER_PAGE


def keys(found: list[reading.Row], chosen: int) -> None:
    """Down and up the list and into a case by keyboard; the buttons show the keys."""
    row = found[chosen]
    with st.container(horizontal=True, key="inbox-keys"):
        st.button("Next", shortcut="J", key="inbox-next", on_click=_move, args=(chosen + 1, len(found)))
        st.button("Previous", shortcut="K", key="inbox-previous", on_click=_move, args=(chosen - 1, len(found)))
        if st.button("Open the marked case", shortcut="O", key="inbox-open"):
            st.switch_page("views/case.py", query_params={"case": row["case_id"]})
        if row["status"] == "open" and reading.caller().may(Role.analyst, "cases"):
            given = (row["case_id"], row["version"])
            st.button("Acknowledge it", shortcut="A", key="inbox-acknowledge", on_click=_acknowledge, args=given)


def _acknowledge(case_id: str, version: int) -> None:
    shell.change(lambda: acknowledge(case_id, version), "The case is acknowledged.", scope="cases")


def _move(to: int, of: int) -> None:
    st.session_state["inbox_place"] = max(0, min(to, of - 1))


shell.begin()
if "case" in st.query_params:  # a link of an alert may lead here
    st.switch_page("views/case.py", query_params={"case": st.query_params["case"]})
st.html('<h1 class="cv-sr">Inbox</h1>')
shell.live(head)
shell.live(listed)
