"""Routes: which messages go to which channels, grouped how and how often; and alert topics."""

import streamlit as st

from dashboard import markup, reading, shell, telling
from dashboard.panels.channels import changing
from notify import registry
from notify.config import load
from notify.registry import would_go
from store.outbox import Message
from store.settings import settings
from trust.roles import Role

NONE = "<b>No route yet.</b> Messages about cases, rulings, rules and model calls go nowhere until a route takes them."
HELP = "One a line, all must hold: kind~case.*, severity>=0.8, topic=cases, entity~service:*"
GROUPS = ["subject", "kind", "entity", "topic"]


def show() -> None:
    who = reading.caller()
    found = registry.listed(reading.tenant(), who.tenant, settings(), "routes")
    st.html(markup.head("Routes", "asked in this order; the first that takes a message keeps it"))
    st.html(telling.routes(found) if found else markup.note(NONE))
    _trial()
    if not shell.may(Role.admin, "Changing routes", "channels"):
        return
    channels = [row["id"] for row in registry.listed(reading.tenant(), who.tenant, settings(), "channels")]
    with st.container(horizontal=True):
        if channels:
            _make(channels)
        own = [row["id"] for row in found if row["origin"] == "database"]
        if own:
            with st.popover("Remove a route", key="open-remove-route"), st.form("remove-route", border=False):
                st.selectbox("Route", own, key="remove-route-which")
                st.form_submit_button("Remove", on_click=_removed)


def _trial() -> None:
    """Where a message would go now; nothing is sent."""
    with st.popover("Where would it go?", key="open-trial"):
        kind = st.text_input("Kind of message", "case.opened", key="trial-kind")
        severity = st.slider("Severity", 0, 100, 90, key="trial-severity")
        entity = st.text_input("Entity", "account:A13/EUR", key="trial-entity")
        topic = "cases" if kind.startswith(("case", "command")) else kind.partition(".")[0]
        message = Message(reading.caller().tenant, topic, kind, "case-trial", severity / 100, "", "", entity=entity)
        goes = would_go(load(reading.tenant(), reading.caller().tenant, settings()), message, shell.now())
        st.html(markup.facts([(name.capitalize(), ", ".join(found) or "none") for name, found in goes.items()]))


def _make(channels: list[str]) -> None:
    with st.popover("Make or change a route", key="open-make-route"), st.form("make-route", border=False):
        st.text_input("Name", key="route-name", max_chars=63, placeholder="desk-urgent")
        st.text_area("Takes messages for which", "severity>=0.8", key="route-matchers", help=HELP)
        st.multiselect("Sends to", channels, default=channels[:1], key="route-channels")
        st.multiselect("Messages alike in these leave together", GROUPS, default=["subject"], key="route-groups")
        st.number_input("At most so many messages a minute", 0, 10_000, 10, key="route-most", help="0: no limit")
        st.toggle("Later routes are asked, too", key="route-on")
        st.form_submit_button("Write", type="primary", on_click=_made)


def _made() -> None:
    state = st.session_state
    entry = {
        "matchers": [line.strip() for line in state["route-matchers"].splitlines() if line.strip()],
        "channels": list(state["route-channels"]), "group_by": list(state["route-groups"]), "go_on": bool(state["route-on"]),
        "per_route": {"count": int(state["route-most"]), "per_s": 60},
    }  # fmt: skip

    def put() -> None:
        with reading.tenant().connection() as connection:
            registry.put_route(changing(connection), str(state["route-name"]).strip(), entry)

    shell.change(put, "The route is written.", role=Role.admin, scope="channels")


def _removed() -> None:
    name = st.session_state["remove-route-which"]

    def remove() -> None:
        with reading.tenant().connection() as connection:
            registry.remove(changing(connection), "routes", name)

    shell.change(remove, f"The route {name} is no more.", role=Role.admin, scope="channels")


def topics() -> None:
    """Alert topics with what they set off; made through the API or the file."""
    who = reading.caller()
    found = registry.listed(reading.tenant(), who.tenant, settings(), "alert_topics")
    subscriptions = registry.listed(reading.tenant(), who.tenant, settings(), "subscriptions")
    st.html(markup.head("Alert topics", "messages kept under a name, and what reaching it sets off"))
    st.html(
        telling.topics(found, subscriptions)
        if found
        else markup.note("<b>No alert topic yet.</b> Make one with <code>PUT /v1/alert-topics/NAME</code> or in the file.")
    )
