"""Channels: how each has done, the test button, making and changing one."""

import json
from typing import Any

import streamlit as st

from dashboard import markup, reading, shell, telling, words
from dashboard.errors import NotFilled
from notify import registry, sent
from notify.kinds import KINDS
from notify.loop import tools
from notify.registry import Change
from notify.targets import Targets
from store.database import Connection
from store.settings import settings
from trust.roles import Role

EXAMPLES: dict[str, dict[str, Any]] = {
    "slack": {"url": "env:NOTIFY_SLACK_WEBHOOK"},
    "webhook": {"url": "https://…", "secret": "env:NOTIFY_WEBHOOK_SECRET"},
    "pagerduty": {"routing_key": "env:NOTIFY_PAGERDUTY_KEY"},
    "opsgenie": {"api_key": "env:NOTIFY_OPSGENIE_KEY"},
    "alertmanager": {"url": "http://127.0.0.1:9093"},
    "email": {
        "host": "smtp.example.org",
        "sender": "conclave@example.org",
        "to": ["desk@example.org"],
        "password": "env:NOTIFY_SMTP_PASSWORD",
    },
    "apprise": {"url": "env:NOTIFY_APPRISE_URL"},
    "table": {},
    "kafka": {"topic": "alerts"},
    "processor": {"processor": "name"},
    "model": {"prompt": "Say in a sentence what to look at first."},
}
NONE = (
    "<b>No channel yet.</b> Without one nobody is told of anything; make one below, or name a file in <code>notify.file</code>."
)


def changing(connection: Connection) -> Change:
    """A change of the reader's, now."""
    return Change(connection, reading.caller(), settings(), shell.now())


def show() -> None:
    who = reading.caller()
    found = registry.listed(reading.tenant(), who.tenant, settings(), "channels")
    st.html(markup.head("Channels", "secrets stand in variables or files; here are only their names"))
    st.html(telling.channels(found, sent.health(reading.tenant(), who.tenant, shell.now())) if found else markup.note(NONE))
    if not shell.may(Role.admin, "Changing channels", "channels"):
        return
    _tested()
    with st.container(horizontal=True):
        if found:
            _try([row["id"] for row in found])
        _make()
        own = [row for row in found if row["origin"] == "database"]
        if own:
            _change(own)


def _try(names: list[str]) -> None:
    with st.popover("Send a test", key="open-test"), st.form("test-channel", border=False):
        st.selectbox("Channel", names, key="test-which")
        st.form_submit_button("Send", type="primary", on_click=_try_it)


def _try_it() -> None:
    name = st.session_state["test-which"]

    def attempt() -> None:
        outcome = sent.try_channel(
            reading.tenant(), reading.caller(), name, settings(), tools(settings(), Targets()), shell.now()
        )
        st.session_state["tested"] = (name, outcome.state, outcome.status, outcome.error or outcome.answer)

    shell.change(attempt, f"A test went to {name}.", role=Role.admin, scope="channels")


def _tested() -> None:
    """What the receiver of the last test said."""
    if (last := st.session_state.pop("tested", None)) is not None:
        name, state, status, said = last
        good = state == "sent"
        code = f", HTTP {status}" if status else ""
        st.html(
            markup.note(
                f"<b>{'The test arrived' if good else 'The test did not arrive'} at {words.escaped(name)}{code}.</b> "
                f"{words.escaped(said, 300)}",
                fault=not good,
            )
        )


def _make() -> None:
    with st.popover("Make a channel", key="open-make-channel"):
        kind = st.selectbox("Kind", list(KINDS), key="channel-kind")
        with st.form("make-channel", border=False):
            st.text_input("Name", key="channel-name", max_chars=63, placeholder="desk-slack")
            st.text_area(
                "What it needs",
                telling.pretty(EXAMPLES.get(kind, {})),
                key=f"channel-config-{kind}",
                height=160,
                help=" ".join((KINDS[kind].__doc__ or "").split()),
            )
            st.form_submit_button("Make", type="primary", on_click=_made, args=(kind,))


def _made(kind: str) -> None:
    name, text = str(st.session_state["channel-name"]).strip(), st.session_state[f"channel-config-{kind}"]
    _put(name, kind, text, None, True)


def _change(own: list[reading.Row]) -> None:
    with st.popover("Change or remove", key="open-change-channel"):
        name = st.selectbox("Channel", [row["id"] for row in own], key="change-which")
        row = next(row for row in own if row["id"] == name)
        with st.form("change-channel", border=False):
            st.text_area("What it needs", telling.pretty(row["config"]), key=f"change-config-{name}-{row['version']}", height=160)
            st.toggle("In use", row["enabled"], key=f"change-on-{name}-{row['version']}")
            with st.container(horizontal=True):
                st.form_submit_button("Change", on_click=_changed, args=(name, str(row["kind"]), row["version"]))
                st.form_submit_button("Remove", on_click=_removed, args=(name,))


def _changed(name: str, kind: str, version: int) -> None:
    state = st.session_state
    _put(name, kind, state[f"change-config-{name}-{version}"], version, bool(state[f"change-on-{name}-{version}"]))


def _put(name: str, kind: str, text: str, version: int | None, enabled: bool) -> None:
    def put() -> None:
        entry = as_object(text) | {"kind": kind, "enabled": enabled}
        with reading.tenant().connection() as connection:
            registry.put_channel(changing(connection), name, entry, version)

    shell.change(put, f"The channel {name} is written.", role=Role.admin, scope="channels")


def _removed(name: str) -> None:
    def remove() -> None:
        with reading.tenant().connection() as connection:
            registry.remove(changing(connection), "channels", name)

    shell.change(remove, f"The channel {name} is no more.", role=Role.admin, scope="channels")


def as_object(text: str) -> dict[str, Any]:
    """What was typed, as an object. Raises NotFilled that says where it cannot be read."""
    try:
        found = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise NotFilled(f"The text is not JSON: {error.msg} in line {error.lineno}.") from None
    if not isinstance(found, dict):
        raise NotFilled("Write one JSON object, in braces.")
    return found
