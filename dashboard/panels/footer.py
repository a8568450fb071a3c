"""The end of every page: who reads, and the way out."""

import streamlit as st

from dashboard import visitor, words
from trust.roles import Caller

OPEN = "<b>Sign-in is off:</b> whoever reaches these pages on this machine is an admin."


def show(who: Caller) -> None:
    """Name, role and tenant; without sign-in, what that means."""
    said = OPEN if visitor.is_open() else f"Signed in as <b>{words.escaped(who.name, 80)}</b>, {who.role.name}."
    with st.container(horizontal=True, vertical_alignment="center", key="foot"):
        st.html(f'<div class="cv-soft">{said} Tenant {words.escaped(who.tenant, 60)}.</div>', width="content")
        if not visitor.is_open() and st.button("Sign out", key="sign-out", type="tertiary"):
            visitor.sign_out()
            st.rerun()
