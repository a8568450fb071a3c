"""Processors: what each says, trying one on what has come already, making versions and letting them act."""

from typing import Any

import streamlit as st

from dashboard import markup, pipes, reading, shell, telling
from dashboard.panels import download
from dashboard.panels.channels import as_object
from pipelines import catalogue
from pipelines.dry_run import dry_run
from pipelines.fields import EVENT
from store.database import Connection
from store.errors import ConclaveError
from store.settings import settings
from trust.roles import Role

MOST = 500
NONE = "<b>No processor yet.</b> Make a rule, a list or a threshold below; nothing acts before you let it."
TRIED = "tried_processor"
FIELDS = "CEL over the event: " + ", ".join(EVENT)


def show() -> None:
    found = reading.rows("list_processors", after="", limit=MOST)
    st.html(markup.head("Processors", "picked up by the stream between batches; every outcome is counted, hit or not"))
    st.html(pipes.processors(found) if found else markup.note(NONE))
    download.offer(found, "processors")
    if not shell.may(Role.admin, "Changing processors", "pipelines"):
        return
    _draft()
    if found:
        _versions(found)


def _draft() -> None:
    """A configuration, tried before it is kept."""
    st.html(
        markup.head("Make a processor, or a new version of one", "try it on what has come already; it acts only once it is live")
    )
    with st.container(border=True):
        with st.container(horizontal=True):
            kind = st.selectbox(
                "Kind", list(pipes.KINDS), index=6, format_func=pipes.KINDS.__getitem__, key="draft-kind", width=240
            )
            st.text_input("Name", key="draft-name", max_chars=60, placeholder="large-payments", width=260)
        example = dict(pipes.EXAMPLES[kind])
        if "when" in example:
            st.text_input("When", example.pop("when"), key=f"draft-when-{kind}", max_chars=2000, help=FIELDS)
        st.text_area("What it says", telling.pretty(example), key=f"draft-spec-{kind}", height=130)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input("Why", key="draft-why", max_chars=300, width=320)
            events = st.selectbox("Try it on the newest", [1_000, 10_000, 100_000], index=1, key="draft-events", width=160)
            if st.button("Dry run", key="draft-try"):
                st.session_state[TRIED] = _try(kind, int(events))
            st.button("Keep, not live", key="draft-keep", on_click=_keep, args=(kind, False))
            st.button("Keep and let it act", key="draft-live", type="primary", on_click=_keep, args=(kind, True))
        _outcome()


def _spec(kind: str) -> dict[str, Any]:
    when = st.session_state.get(f"draft-when-{kind}")
    return as_object(st.session_state[f"draft-spec-{kind}"]) | {"kind": kind} | ({} if when is None else {"when": when})


def _try(kind: str, events: int) -> Any:
    """The dry run's outcome, or why there is none."""
    try:
        return dry_run(reading.tenant(), settings(), reading.caller().tenant, _spec(kind), events=events)
    except ConclaveError as error:
        return error


def _outcome() -> None:
    last = st.session_state.get(TRIED)
    if isinstance(last, ConclaveError):
        shell.refused(last)
    elif last is not None:
        st.html(markup.strip(pipes.tried(last), "Dry run") + (pipes.sample(last.sample) if last.sample else ""))
        if last.note:
            st.html(f'<p class="cv-soft">{last.note}</p>')


def _keep(kind: str, live: bool) -> None:
    name, why = str(st.session_state["draft-name"]).strip(), str(st.session_state["draft-why"])

    def keep() -> None:
        spec = _spec(kind)
        with reading.tenant().connection() as connection:
            catalogue.put(connection, reading.caller().tenant, name, spec, actor=reading.caller().actor, why=why, live=live)
        st.session_state.pop(TRIED, None)

    said = f"{name} acts from the stream's next batch on." if live else f"{name} is kept; it does not act yet."
    shell.change(keep, said, role=Role.admin, scope="pipelines")


def _versions(found: list[reading.Row]) -> None:
    """The versions of one, who made them and why; live, retired, removed."""
    with st.container(horizontal=True), st.popover("Versions and who acts", key="open-versions"):
        name = str(st.selectbox("Processor", [row["processor"] for row in found], key="version-of"))
        versions = reading.rows("list_versions_of", processor=name, limit=20)
        live = next(row["live_version"] for row in found if row["processor"] == name)
        chosen = st.selectbox(
            "Version",
            [row["version"] for row in versions],
            key=f"version-{name}",
            format_func=lambda number: f"{number}, live" if number == live else str(number),
        )
        row = next((one for one in versions if one["version"] == chosen), versions[0])
        st.code(telling.pretty(row["spec"]), language="json")
        with st.container(horizontal=True):
            st.button("Let it act", key="version-live", disabled=chosen == live, on_click=_act, args=("live", name, chosen))
            st.button("Retire", key="version-retire", disabled=live is None, on_click=_act, args=("retire", name, chosen))
            st.button("Remove", key="version-remove", on_click=_act, args=("remove", name, chosen))


DONE = {"live": "It acts from the next batch on.", "retire": "It does not act any longer.", "remove": "It is removed."}


def _act(verb: str, name: str, version: int) -> None:
    def act() -> None:
        with reading.tenant().connection() as connection:
            _acted(connection, verb, name, version)

    shell.change(act, f"{name}: {DONE[verb]}", role=Role.admin, scope="pipelines")


def _acted(connection: Connection, verb: str, name: str, version: int) -> None:
    who = reading.caller()
    if verb == "live":
        catalogue.set_live(connection, who.tenant, name, version, actor=who.actor)
    elif verb == "retire":
        catalogue.retire(connection, who.tenant, name, actor=who.actor)
    else:
        catalogue.remove(connection, who.tenant, name, actor=who.actor)
