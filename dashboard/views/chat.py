"""Asking: questions about accounts, services, cases and the runbook, with answers whose citations can be followed."""

import uuid
from typing import Any

import streamlit as st

from assistant import conversations
from assistant.errors import UnknownConversation
from dashboard import answers, markup, reading, shell, words
from dashboard.panels.voice import asking, speaker
from store.settings import settings
from trust.roles import Role

EXAMPLES = ("What needs me now?", "What happened last night?", "Which services had the most errors yesterday?",
            "What do I check when a terminal tests cards?")  # fmt: skip
WELCOME = (
    "<b>Ask about an account, a terminal, a service, a case or the runbook.</b> Answers rest on what is recorded; every number "
    "comes from a query, and each sentence says where it has it from."
)
OPEN = "conversation"


def earlier() -> None:
    """The reader's conversations, to be opened again, renamed or deleted."""
    found = conversations.listed(reading.tenant(), reading.caller(), limit=30)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("New question", icon=":material/add:", key="chat-new", shortcut="N"):
            st.query_params.clear()
            st.rerun()
        with st.popover(f"Earlier ({len(found)})", key="chat-earlier"):
            for row in found:
                plain = words.visible(row["title"], 60)
                if st.button(_label(plain), key=f"open-{row['conversation_id']}", type="tertiary"):
                    st.query_params[OPEN] = row["conversation_id"]
                    st.rerun()
        chosen = st.query_params.get(OPEN)
        if chosen and st.button("Delete this conversation", key="chat-delete", type="tertiary"):
            conversations.delete(reading.tenant(), reading.caller(), chosen)
            st.query_params.clear()
            st.rerun()


def _label(text: str) -> str:
    """A button's label is read as markdown."""
    return "".join(letter if letter.isalnum() or letter in " ?.,-" else " " for letter in text) or "Conversation"


def told() -> None:
    """The conversation so far."""
    chosen = st.query_params.get(OPEN)
    if not chosen:
        st.html(markup.note(WELCOME))
        return
    try:
        found = conversations.messages(reading.tenant(), reading.caller(), chosen)
    except UnknownConversation:
        st.html(markup.note("<b>There is no such conversation of yours.</b> Conversations are kept for whoever began them."))
        return
    for row in found:
        with st.chat_message("user" if row["role"] == "user" else "assistant"):
            said = (
                answers.question(row["text"]) if row["role"] == "user" else answers.answer(row["answer"] or {}, f"m{row['seq']}")
            )
            st.html(said)


def ask(question: str) -> None:
    """Answer sentence by sentence, as it comes."""
    with st.chat_message("user"):
        st.html(answers.question(question))
    voice, why = speaker()
    chosen = st.query_params.get(OPEN)
    with st.chat_message("assistant"):
        place, given = st.empty(), dict[str, Any](sentences=[], citations=[])
        place.html(answers.answer(given, "new"))
        events = conversations.ask(
            asking(), reading.caller(), question, voice, fresh_id=uuid.uuid4().hex, conversation_id=chosen,
            most=settings().assistant.max_question, turns=settings().assistant.history_turns, why=why,
        )  # fmt: skip
        for name, data in events:
            take(given, name, data)
            place.html(answers.understood(given.get("reading", {})) + answers.answer(given, "new"))
    st.query_params[OPEN] = given["conversation_id"]
    st.rerun()


def take(given: dict[str, Any], name: str, data: dict[str, Any]) -> None:
    """One event of the answer into what is shown."""
    if name == "citation":
        given["citations"].append(data)
    elif name == "sentence":
        given["sentences"].append(data)
    elif name == "reading":
        given["reading"] = data
    else:
        given.update(
            data if name == "conversation" else {"spoken_by": data["spoken_by"], "model": data["model"], "why": data["why"]}
        )


def page() -> None:
    if not shell.may(Role.analyst, "Asking", "chat"):
        return
    earlier()
    told()
    if not st.query_params.get(OPEN):
        picked = st.pills("For example", EXAMPLES, key="example", label_visibility="collapsed")
    else:
        picked = None
    typed = st.chat_input("Ask …", key="question", max_chars=settings().assistant.max_question)
    if typed or (picked and st.session_state.get("asked_example") != picked):
        if not typed:
            st.session_state["asked_example"] = picked
        ask(str(typed or picked))


shell.begin()
st.html('<h1 class="cv-sr">Ask</h1>')
shell.guarded(page)()
