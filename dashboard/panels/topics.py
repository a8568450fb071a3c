"""Topics and data lists: what comes, and the lists that processors look in."""

import streamlit as st

from dashboard import markup, pipes, reading, shell
from dashboard.errors import NotFilled
from pipelines import lists, topics
from pipelines.topics import Topic
from store.settings import settings
from trust.roles import Role

MOST = 500
KINDS = ["mixed", "transaction", "request", "measurement"]
HOLDS = ["other", "account", "counterparty"]


def show() -> None:
    found = reading.rows("list_topics", after="", limit=MOST)
    st.html(markup.head("Topics", "what is registered; files carry their topic in their name"))
    st.html(
        pipes.topics(found)
        if found
        else markup.note("<b>No topic is registered.</b> Events come all the same; a segment can take them.")
    )
    if not shell.may(Role.admin, "Changing topics", "pipelines"):
        return
    with st.container(horizontal=True):
        with st.popover("Make a topic", key="open-make-topic"), st.form("make-topic", border=False):
            st.text_input("Name", key="topic-name", max_chars=200)
            st.selectbox("Kind", KINDS, key="topic-kind")
            st.number_input("Partitions", 1, 1000, 1, key="topic-partitions")
            st.text_input("Described as", key="topic-description", max_chars=300)
            st.form_submit_button("Make", type="primary", on_click=_made)
        if found:
            with st.popover("Remove a topic", key="open-remove-topic"), st.form("remove-topic", border=False):
                st.selectbox("Topic", [row["topic"] for row in found], key="remove-topic-which")
                st.toggle("Also the segments that read it", key="remove-topic-all")
                st.form_submit_button("Remove", on_click=_removed)


def _made() -> None:
    state = st.session_state

    def make() -> None:
        wanted = Topic(
            topic=str(state["topic-name"]).strip(),
            kind=state["topic-kind"],
            partitions=int(state["topic-partitions"]),
            description=state["topic-description"],
        )
        with reading.tenant().connection() as connection:
            topics.create(connection, reading.caller().tenant, wanted, settings(), actor=reading.caller().actor)

    shell.change(make, "The topic is made.", role=Role.admin, scope="pipelines")


def _removed() -> None:
    state = st.session_state

    def remove() -> None:
        with reading.tenant().connection() as connection:
            topics.remove(
                connection,
                reading.caller().tenant,
                state["remove-topic-which"],
                settings(),
                actor=reading.caller().actor,
                cascade=bool(state["remove-topic-all"]),
            )

    shell.change(remove, "The topic is no more.", role=Role.admin, scope="pipelines")


def show_lists() -> None:
    """Lists with their versions; a CSV file makes the next version of one."""
    found = reading.rows("all_lists", after="", limit=MOST)
    st.html(markup.head("Data lists", "for allow, deny and watch lists and for enrichment; each change is a version"))
    st.html(
        pipes.lists(found) if found else markup.note("<b>No list yet.</b> Upload a CSV file below; its first column is the key.")
    )
    if not shell.may(Role.admin, "Changing lists", "pipelines"):
        return
    with st.popover("Upload a list", key="open-list"), st.form("put-list", border=False, clear_on_submit=True):
        st.text_input("Name", key="list-name", max_chars=60, placeholder="vip")
        st.selectbox(
            "Its keys are", HOLDS, key="list-holds", format_func=lambda one: "something else" if one == "other" else f"{one}s"
        )
        st.file_uploader("CSV, with a header when it has more than one column", type=["csv", "txt"], key="list-file")
        st.text_area("Or a few keys, one a line", key="list-keys")
        st.text_input("Why", key="list-why", max_chars=300)
        st.form_submit_button("Write", type="primary", on_click=_listed)


def _listed() -> None:
    state = st.session_state
    file, typed = state.get("list-file"), str(state["list-keys"])

    def put() -> None:
        text = file.getvalue().decode("utf-8", "replace") if file is not None else typed
        if not text.strip():
            raise NotFilled("Choose a file, or write a few keys.")
        items = lists.from_csv(text) if file is not None else {line.strip(): {} for line in typed.splitlines() if line.strip()}
        who = reading.caller()
        with reading.tenant().connection() as connection:
            lists.put_list(
                connection,
                who.tenant,
                str(state["list-name"]).strip(),
                items,
                actor=who.actor,
                why=state["list-why"],
                holds=state["list-holds"],
                most=settings().pipelines.list_items,
            )

    shell.change(put, "The list has a new version; it acts from the next batch on.", role=Role.admin, scope="pipelines")
