"""API keys for admins: list, make (shown once), rotate, revoke."""

from datetime import timedelta

import streamlit as st

from dashboard import keytables, markup, reading, shell, words
from dashboard.errors import NotFilled
from dashboard.panels import download
from trust import keys
from trust.roles import Role

NEW = "new_key"
DAYS = {"30 days": 30, "90 days": 90, "1 year": 365, "Until revoked": None}
NONE = "<b>No key yet.</b> Make one here, or with <code>conclave keys create</code>."


def show() -> None:
    if not shell.may(Role.admin, "Managing keys", "keys"):
        return
    found = keys.listed(reading.tenant(), reading.caller().tenant)
    _once()
    st.html(markup.head("API keys", "for the gateway and for signing in here; a key is shown once, when it is made"))
    st.html(keytables.keys(found, shell.now()) if found else markup.note(NONE))
    with st.container(horizontal=True):
        _make()
        _end([row for row in found if keytables.is_live(row, shell.now())])
        download.offer(found, "keys")


def _once() -> None:
    """A key that was just made; gone with the next look."""
    if (text := st.session_state.pop(NEW, None)) is not None:
        st.html(markup.note("<b>This is the key. It is shown only now.</b>"))
        st.code(text, language=None)


def _make() -> None:
    with st.popover("Make a key", key="open-make-key"), st.form("make-key", border=False, clear_on_submit=True):
        st.text_input("Name", key="key-name", max_chars=100, placeholder="Who or what will use it")
        st.selectbox("Role", [role.name for role in Role], key="key-role")
        st.text_input("Only for", key="key-scopes", placeholder="events traces:shop; empty: all its role may")
        st.selectbox("Ends after", list(DAYS), index=1, key="key-days")
        st.form_submit_button("Make", type="primary", on_click=_made)


def _made() -> None:
    state = st.session_state
    days = DAYS[state["key-days"]]

    def make() -> None:
        who, now = reading.caller(), shell.now()
        name = words.visible(state["key-name"], 100).strip()
        if not name:
            raise NotFilled("A key needs a name.")
        with reading.tenant().connection() as connection:
            issued = keys.create(
                connection, who.tenant, name, Role[state["key-role"]], actor=who.actor, now=now,
                scopes=state["key-scopes"].split(), expires_at=None if days is None else now + timedelta(days=days),
            )  # fmt: skip
        state[NEW] = issued.text

    shell.change(make, "The key is made.", role=Role.admin)


def _end(live: list[reading.Row]) -> None:
    """Rotate or revoke one; the one that is in use here may end, too."""
    if not live:
        return
    names = {row["key_id"]: f"{words.visible(row['name'], 60)} ({row['key_id']})" for row in live}
    with st.popover("Rotate or revoke", key="open-end-key"), st.form("end-key", border=False):
        st.selectbox("Key", list(names), format_func=names.__getitem__, key="end-which")
        st.caption("A rotated key opens for a day more; a revoked one ends at once.")
        with st.container(horizontal=True):
            st.form_submit_button("Rotate", on_click=_ended, args=("rotate",))
            st.form_submit_button("Revoke", on_click=_ended, args=("revoke",))


def _ended(verb: str) -> None:
    key_id = st.session_state["end-which"]

    def end() -> None:
        who, now = reading.caller(), shell.now()
        with reading.tenant().connection() as connection:
            if verb == "revoke":
                keys.revoke(connection, who.tenant, key_id, actor=who.actor, now=now)
            elif (issued := keys.rotate(connection, who.tenant, key_id, actor=who.actor, now=now)) is not None:
                st.session_state[NEW] = issued.text

    shell.change(end, "The key is revoked." if verb == "revoke" else "The key is rotated.", role=Role.admin)
