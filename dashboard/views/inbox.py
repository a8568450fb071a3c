"""The inbox: what needs a person now, the costliest first, and what is quiet and why."""

import streamlit as st

from dashboard import cases, markup, reading, shell, words
from dashboard.panels import choice, download, filters
from dashboard.panels.case_steps import acknowledge
from trust.roles import Role

VIEWS = {
    "Needs me": "needs", "Mine": "mine", "With nobody": "unassigned", "Snoozed": "snoozed", "Held": "held", "Closed": "closed",
    "All": "all",
}  # fmt: skip
KINDS = {"Any kind": None, "Accounts": "account", "Counterparties": "counterparty", "Services": "service", "Series": "series"}
SORTS = {"Costliest": "loss", "Worst": "severity", "Oldest": "oldest", "Newest": "newest"}
KEPT = ("view", "kind", "sort", "q", "tag")
PER_PAGE = 25
EMPTY = {
    "needs": "<b>Nothing needs you.</b> Confirmed and unresolved rulings appear here by themselves; "
    "<code>conclave operate</code> opens a case for each.",
    "mine": "<b>You have no case.</b> Open one and take it.",
    "snoozed": "<b>Nothing is snoozed.</b>",
    "held": "<b>Nothing is held.</b> A maintenance window keeps the cases that begin in it quiet; plan one under Alerts.",
}
NO_CASE = "<b>No case is like this.</b> Choose another view, or take words out of the search."


def head() -> None:
    counts = reading.rows("dashboard_desk_counts", actor=reading.caller().actor)[0]
    st.html(markup.strip(cases.tiles(counts), "What needs you") + cases.elsewhere(counts))
    held = reading.rows("dashboard_held_by") if counts["held"] else []
    for row in held:
        st.html(f'<p class="cv-soft">{row["cases"]} held by “{words.escaped(row["title"], 120)}” until '
                f'{words.instant(row["ends_at"])}.</p>')  # fmt: skip


def listed() -> None:
    with st.container(horizontal=True, gap="small"):
        view = VIEWS[choice.one("View", list(VIEWS), "view")]
        sort = SORTS[choice.one("Order", list(SORTS), "sort")]
    with st.container(horizontal=True, gap="small"):
        kind = choice.of("Kind", KINDS, "kind")
        typed = choice.typed("Find", "q", "A part of a name, title or id")
    tag = st.query_params.get("tag", "")
    wanted = {"view": view, "sort": sort, "kind": kind, "typed": typed, "tag": tag, "actor": reading.caller().actor}
    total = sum(row["of_all"] for row in reading.rows("dashboard_inbox", **wanted, most=1, skip=0))
    skip = choice.page_of(total, PER_PAGE, "page")
    found = reading.rows("dashboard_inbox", **wanted, most=PER_PAGE, skip=skip)
    if not found:
        st.html(markup.note(EMPTY.get(view, NO_CASE) if not (typed or tag or kind) else NO_CASE))
    else:
        chosen = min(st.session_state.get("inbox_place", 0), len(found) - 1)
        st.html(cases.inbox(found, found[chosen]["case_id"]))
        keys(found, chosen)
    with st.container(horizontal=True):
        download.offer(found, "cases")
        filters.bar("inbox", "views/inbox.py", KEPT)


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
shell.outcome()
shell.live(head)
shell.live(listed)
