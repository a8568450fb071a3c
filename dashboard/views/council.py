"""The council and its rulings: how it votes, and every ruling with its evidence."""

import streamlit as st

from dashboard import cards, council, markup, reading, shell
from dashboard.panels import choice, download, filters

OUTCOMES = {"All": None, "Confirmed": "confirmed", "Unresolved": "unresolved", "Dismissed": "dismissed"}
COUNCILS = {"Any council": None, "Model": "model", "Rules": "rules"}
KINDS = {"Any kind": None, "Accounts": "account", "Counterparties": "counterparty", "Services": "service", "Series": "series"}
NONE = "<b>No such ruling.</b> The council rules as cases reach the docket; start <code>conclave council</code> if none runs."
PER_PAGE = 20
KEPT = ("outcome", "council", "kind", "q", "superseded")


def votes() -> None:
    tally = reading.rows("dashboard_council_tally")
    st.html(markup.strip(council.tiles(tally), "Rulings in force"))
    if found := reading.rows("dashboard_council_members"):
        st.html(markup.head("Members", "votes on the rulings in force") + council.members(found))


def rulings() -> None:
    with st.container(horizontal=True, gap="small"):
        outcome = choice.of("Outcome", OUTCOMES, "outcome")
        spoke = choice.of("Council", COUNCILS, "council")
        kind = choice.of("Kind", KINDS, "kind")
    typed = choice.typed("Entity", "q", "A part of an entity's name")
    superseded = st.toggle("Superseded ones too", key="superseded", bind="query-params")
    wanted = {"outcome": outcome, "council": spoke, "kind": kind, "typed": typed, "superseded": superseded}
    total = sum(row["of_all"] for row in reading.rows("dashboard_council", **wanted, most=1, skip=0))
    st.html(markup.head("Rulings", f"{total} found, newest first"))
    skip = choice.page_of(total, PER_PAGE, "page")
    found = reading.rows("dashboard_council", **wanted, most=PER_PAGE, skip=skip)
    st.html(cards.rulings(found, "ruled", opened=1) if found else markup.note(NONE))
    with st.container(horizontal=True):
        download.offer(found, "rulings")
        filters.bar("council", "views/council.py", KEPT)


shell.begin()
st.html('<h1 class="cv-sr">Council and rulings</h1>')
shell.live(votes)
shell.live(rulings)
