"""Whom a token stands for: shown to who may see it, with a reason, and each time with an entry in the audit log."""

import streamlit as st

from dashboard import markup, reading, shell, words
from store.settings import settings
from trust.reveal import reveal
from trust.roles import Role
from trust.vault import is_token, vault_of

SHOWN = "revealed"


def offer(entities: list[str], place: str) -> None:
    """Nothing where identifiers are plain. What was revealed is shown until the page is left."""
    tokens = sorted({subject for _, subject, _ in map(words.named, entities) if is_token(subject)})
    if not tokens or settings().privacy.identifiers != "tokenised":
        return
    known = {token: value for token, value in st.session_state.get(SHOWN, {}).items() if token in tokens}
    if known:
        st.html(markup.facts([(f"{token[:12]}…", value) for token, value in known.items()]))
    least = Role[settings().privacy.reveal_role]
    if len(known) < len(tokens) and reading.caller().may(least, "privacy"):
        with st.popover("Show who this is", key=f"open-reveal-{place}"), st.form(f"reveal-{place}", border=False):
            st.text_input("Why do you need it?", key=f"reveal-why-{place}", max_chars=500)
            st.caption("Your reason stands in the audit log; the value does not.")
            st.form_submit_button("Show", type="primary", on_click=_reveal, args=(tokens, place, least))


def _reveal(tokens: list[str], place: str, least: Role) -> None:
    why = str(st.session_state[f"reveal-why-{place}"])

    def show() -> None:
        vault = vault_of(settings(), reading.caller().tenant)
        if vault is not None:
            with reading.tenant().connection() as connection:
                found = reveal(connection, vault, reading.caller(), tokens, why, least)
            st.session_state[SHOWN] = st.session_state.get(SHOWN, {}) | found

    shell.change(show, "Shown, and written to the audit log.", role=least, scope="privacy")


def searched(typed: str) -> str:
    """What a typed name is kept as where identifiers are tokens, for those who may see whom a token stands for."""
    vault = vault_of(settings(), reading.caller().tenant) if typed else None
    if vault is None or not reading.caller().may(Role[settings().privacy.reveal_role], "privacy"):
        return typed
    kinds = [typed] if ":" in typed else [f"account:{typed}", f"counterparty:{typed}"]
    found = next((kept for one in kinds if (kept := vault.find(reading.tenant(), one)) is not None), None)
    return typed if found is None else found.partition(":")[2].partition("/")[0]
