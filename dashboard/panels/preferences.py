"""How a reader wants to read: the time zone."""

from zoneinfo import available_timezones

import streamlit as st

from dashboard import markup, reading, shell, words
from store.database import run
from trust.roles import Role

BROWSER = "As the browser says"


def show() -> None:
    who = reading.caller()
    kept = reading.rows("dashboard_zone", owner=who.actor)
    chosen = kept[0]["zone"] if kept and kept[0]["zone"] else BROWSER
    zones = [BROWSER, *sorted(available_timezones())]
    st.html(
        markup.head(
            "Time zone", f"times are shown in {words.zone(shell.now())}; the browser says {st.context.timezone or 'nothing'}"
        )
    )
    st.selectbox("Time zone", zones, index=zones.index(chosen) if chosen in zones else 0, key="zone", on_change=_choose,
                 label_visibility="collapsed", width=360)  # fmt: skip
    st.html(
        markup.head("Keys of the keyboard")
        + markup.facts(
            [("Inbox", "J next, K previous, O open, A acknowledge"), ("Case", "A acknowledge, I investigate, T take it"),
             ("Lists of pages", "← newer, → older")]
        )
    )  # fmt: skip


def _choose() -> None:
    said = st.session_state["zone"]

    def keep() -> None:
        who = reading.caller()
        with reading.tenant().connection() as connection:
            run(connection, "dashboard_zone_put", tenant=who.tenant, owner=who.actor, zone="" if said == BROWSER else said)

    shell.change(keep, f"Times are shown in {said}." if said != BROWSER else "Times follow the browser.", role=Role.viewer)
