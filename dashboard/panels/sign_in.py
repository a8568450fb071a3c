"""Signing in: with an API key, or with an account where OpenID Connect is configured."""

import streamlit as st

from dashboard import markup, visitor
from store.errors import ConclaveError
from store.settings import settings

NOT_KNOWN = (
    "<b>This key opens nothing.</b> It may have expired or been revoked; an admin makes one with "
    "<code>conclave keys create</code>."
)
EXPOSED = (
    "<b>Sign-in is switched off, but these pages are served beyond this machine</b>, so a key is asked for. Serve them on "
    '127.0.0.1, or set <code>dashboard.sign_in = "required"</code>.'
)


def show() -> None:
    """The form; a key that opens something leads to the page that was asked for."""
    st.html(markup.title("Sign in to Conclave", "The page you asked for opens then. A key looks like conclave_id_secret."))
    if settings().dashboard.sign_in == "off":
        st.html(markup.note(EXPOSED))
    with st.form("sign-in", border=False, width=440):
        key = st.text_input("API key", type="password", autocomplete="current-password", max_chars=300)
        sent = st.form_submit_button("Sign in", type="primary")
    if sent:
        _try(key.strip())
    if visitor.provider() and st.button("Sign in with your account", key="provider"):
        st.login()


def _try(key: str) -> None:
    if not key:
        st.html(markup.note("<b>Paste a key first.</b> An admin makes one with <code>conclave keys create</code>."))
    elif _opens(key):
        st.rerun()
    else:
        st.html(markup.note(NOT_KNOWN, fault=True))


def _opens(key: str) -> bool:
    try:
        return visitor.sign_in(key)
    except ConclaveError as error:
        st.html(markup.note(f"<b>Signing in does not work now.</b> {type(error).__doc__}", fault=True))
        st.stop()
