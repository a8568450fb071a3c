"""Settings: how one reads, the keys of the tenant, what is in force, and who changed what."""

import streamlit as st

from dashboard import effective, keytables, markup, reading, shell, words
from dashboard.panels import download, keyring, preferences
from store.settings import settings
from trust import audit
from trust.roles import Role


def in_force() -> None:
    if not shell.may(Role.analyst, "Seeing the settings"):
        return
    found = effective.rows(settings())
    typed = (st.text_input("Find a setting", key="setting", placeholder="A part of its name", label_visibility="collapsed",
                           icon=":material/search:", bind="query-params") or "").lower()  # fmt: skip
    kept = [row for row in found if typed in row["name"].lower() or typed in row["said"].lower()]
    changed = sum(row["changed"] for row in found)
    st.html(
        markup.head("In force", f"{changed} of {len(found)} differ from their default; set in conclave.toml or CONCLAVE_*")
        + (keytables.settings(kept) if kept else markup.note("<b>No setting has this in its name.</b>"))
    )
    download.offer(kept, "settings")


def log() -> None:
    if not shell.may(Role.admin, "Reading the audit log", "audit"):
        return
    st.html(markup.head("Audit log", "what anyone changed; each entry is chained to the one before"))
    if st.button("Verify the chain", key="verify"):
        found = audit.verify(reading.database(), reading.caller().tenant)
        st.html(markup.note(keytables.verdict(found.broken, found.why, found.entries), fault=found.broken is not None))
    entries = reading.rows("audit_newest", subject=None, before=None, limit=100)
    st.html(keytables.audit(entries) if entries else markup.note("<b>Nobody has changed anything yet.</b>"))
    download.offer(entries, "audit-log")


who = shell.begin()
st.html(markup.title("Settings", f"{who.name}, {who.role.name} of {words.visible(who.tenant, 60)}"))
you, access, forced, audited = st.tabs(["You", "Keys", "In force", "Audit log"], key="tab", bind="query-params")
with you:
    shell.still(preferences.show)
with access:
    shell.still(keyring.show)
with forced:
    shell.still(in_force)
with audited:
    shell.still(log)
