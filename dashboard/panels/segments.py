"""Segments: a filter over a topic's events and the processors that act on what passes, in order."""

from typing import Any

import streamlit as st

from dashboard import markup, pipes, reading, shell
from pipelines import catalogue
from pipelines.dry_run import dry_run
from store.errors import ConclaveError
from store.settings import settings
from trust.roles import Role

MOST = 500
NONE = "<b>No segment yet.</b> Processors act in segments; make one over every topic to begin with."


def show() -> None:
    found = reading.rows("list_segments", after="", limit=MOST)
    st.html(markup.head("Segments", "which events, and what acts on them"))
    st.html(pipes.segments(found) if found else markup.note(NONE))
    if not shell.may(Role.admin, "Changing segments", "pipelines"):
        return
    if found:
        _trial(found)
    with st.container(horizontal=True):
        _make(found)
        if found:
            with st.popover("Remove a segment", key="open-remove-segment"), st.form("remove-segment", border=False):
                st.selectbox("Segment", [row["segment"] for row in found], key="remove-segment-which")
                st.form_submit_button("Remove", on_click=_removed)


def _trial(found: list[reading.Row]) -> None:
    """What each processor of a segment would say of the newest events that pass its filter; nothing is written."""
    names = [row["segment"] for row in found]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = st.selectbox("Try a segment", names, key="try-segment", width=260)
        events = st.selectbox("On the newest", [1_000, 10_000, 100_000], index=1, key="try-events", width=160)
        tried = st.button("Dry run", key="try-it")
    if tried:
        row = next(row for row in found if row["segment"] == which)
        specs = {
            one["processor"]: one["live_spec"] or one["newest_spec"]
            for one in reading.rows("list_processors", after="", limit=MOST)
        }
        for name in row["processors"]:
            _tried(name, specs[name], row, int(events))


def _tried(name: str, spec: dict[str, Any], row: reading.Row, events: int) -> None:
    st.html(markup.head(name, "dry run in this segment; nothing was written"))
    try:
        found = dry_run(
            reading.tenant(), settings(), reading.caller().tenant, spec, events=events, topic=row["topic"], filter=row["filter"]
        )
    except ConclaveError as error:
        shell.refused(error)
        return
    st.html(markup.strip(pipes.tried(found), f"Dry run of {name}") + (pipes.sample(found.sample) if found.sample else ""))


def _make(found: list[reading.Row]) -> None:
    names = [row["processor"] for row in reading.rows("list_processors", after="", limit=MOST) if row["kind"] != "thresholds"]
    topics = ["*", *(row["topic"] for row in reading.rows("list_topics", after="", limit=MOST))]
    with st.popover("Make or change a segment", key="open-make-segment"):
        which = st.selectbox("Segment", ["A new one", *(row["segment"] for row in found)], key="segment-which")
        row = next((row for row in found if row["segment"] == which), {})
        key, revision = str(which), row.get("revision")
        with st.form(f"segment-{key}-{revision}", border=False):
            st.text_input("Name", row.get("segment", ""), key=f"segment-name-{key}", max_chars=60, disabled=bool(row))
            st.selectbox(
                "Topic",
                topics,
                index=topics.index(row.get("topic", "*")) if row.get("topic", "*") in topics else 0,
                format_func=lambda topic: "Every topic" if topic == "*" else topic,
                key=f"segment-topic-{key}",
            )
            st.text_input(
                "Takes events for which",
                row.get("filter", ""),
                key=f"segment-filter-{key}",
                max_chars=2000,
                placeholder='kind == "transaction" && currency == "EUR"',
                help="CEL over the event; empty: every event",
            )
            st.multiselect(
                "Processors, in order",
                names,
                default=[one for one in row.get("processors", []) if one in names],
                key=f"segment-processors-{key}",
            )
            st.toggle("Acts", row.get("enabled", True), key=f"segment-on-{key}")
            st.form_submit_button("Write", type="primary", on_click=_made, args=(key, revision))


def _made(key: str, revision: int | None) -> None:
    state = st.session_state
    name = key if revision is not None else str(state[f"segment-name-{key}"]).strip()

    def put() -> None:
        who = reading.caller()
        with reading.tenant().connection() as connection:
            catalogue.put_segment(
                connection,
                who.tenant,
                name,
                topic=state[f"segment-topic-{key}"],
                filter=state[f"segment-filter-{key}"].strip(),
                processors=list(state[f"segment-processors-{key}"]),
                enabled=bool(state[f"segment-on-{key}"]),
                actor=who.actor,
                revision=revision,
                new=revision is None,
            )

    shell.change(
        put, f"The segment {name} is written; the stream takes it at its next batch.", role=Role.admin, scope="pipelines"
    )


def _removed() -> None:
    name = st.session_state["remove-segment-which"]

    def remove() -> None:
        with reading.tenant().connection() as connection:
            catalogue.remove_segment(connection, reading.caller().tenant, name, actor=reading.caller().actor)

    shell.change(remove, f"The segment {name} is no more.", role=Role.admin, scope="pipelines")
