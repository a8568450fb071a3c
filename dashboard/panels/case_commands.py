"""The commands of a case: what the council proposes, who decided, what the receiver answered."""

from collections.abc import Callable

import streamlit as st

from dashboard import markup, people, reading, shell, words
from dashboard.words import escaped
from desk import commands
from desk.webhook import sent
from store.settings import settings
from trust.roles import Role

Row = reading.Row
STATES = {
    "proposed": ("Proposed", "unresolved"),
    "approved": ("Approved, on its way", "unresolved"),
    "executed": ("✓ Executed", "dismissed"),
    "rejected": ("Rejected", "quiet"),
    "failed": ("✕ Failed", "confirmed"),
    "undoing": ("Being undone", "unresolved"),
    "undone": ("Undone", "quiet"),
}


def show(row: Row) -> None:
    """Every command with its state; the buttons that its state and the reader's role allow."""
    found = reading.rows("dashboard_case_commands", case_id=row["case_id"])
    if not found:
        return
    st.html(markup.head("Commands", "nothing is carried out before a person approves it, unless a policy does"))
    able = reading.caller().may(Role.analyst, "commands")
    for command in found:
        st.html(described(command))
        if able:
            _buttons(command)
    if not able:
        shell.may(Role.analyst, "Deciding on commands", "commands")


def described(command: Row) -> str:
    said, style = STATES.get(command["state"], (command["state"], "quiet"))
    decided = (
        f" by {people.called(command['decided_by'])}, {words.instant(command['decided_at'])}" if command["decided_by"] else ""
    )
    why = f": {command['decision']}" if command["decision"] else ""
    return (
        f'<div class="cv-command"><b>{escaped(words.action(command["action"]))}</b> {escaped(command["target"], 120)} '
        f'<span class="cv-tag cv-{style}">{said}</span><span class="cv-soft">{escaped(decided + why, 400)}</span>'
        f'<div class="cv-values">{escaped("; ".join(answered(command)), 600)}</div></div>'
    )


def answered(command: Row) -> list[str]:
    """What the receiver said last to each run, in words."""
    said = []
    for one in command["runs"] or []:
        last = one["answer"] or {}
        came = last.get("error") or (
            f"HTTP {last['status']} {words.visible(last.get('body') or '', 160)}" if last.get("status") else ""
        )
        tries = f"{one['attempts']} attempt{'' if one['attempts'] == 1 else 's'}"
        said.append(f"{'undo' if one['purpose'] == 'undo' else 'webhook'}: {one['state']}, {tries}{f', {came}' if came else ''}")
    return said


def _buttons(command: Row) -> None:
    """What the command's state allows; approving says on which ruling it rests, so that a later one is not approved unread."""
    key, possible = command["command_id"], commands.steps(command["state"])
    with st.container(horizontal=True, gap="small", key=f"command-{key}"):
        if "approve" in possible:
            label = "Approve" if command["state"] == "proposed" else "Try again"
            st.button(label, key=f"approve-{key}", type="primary", on_click=_approve, args=(key, command["ruling_id"]))
        if "reject" in possible:
            with st.popover("Reject", key=f"open-reject-{key}"), st.form(f"reject-{key}", border=False):
                st.text_input("Why", key=f"reject-why-{key}", max_chars=400)
                st.form_submit_button("Reject", on_click=_reject, args=(key,))
        if "done" in possible and not sent(command["action"], settings().desk):
            st.button("Mark as carried out by hand", key=f"done-{key}", on_click=_done, args=(key,))
        if "undo" in possible and command["undo_until"] is not None and command["undo_until"] > command["now"]:
            st.button(f"Undo, until {words.short(command['undo_until'])}", key=f"undo-{key}", on_click=_undo, args=(key,))


def _decided(decide: Callable[..., object], done: str, command_id: str, **detail: str) -> None:
    def change() -> None:
        with reading.tenant().connection() as connection:
            decide(connection, reading.caller(), command_id, desk=settings().desk, **detail)

    shell.change(change, done, scope="commands")


def _approve(command_id: str, ruling_id: str) -> None:
    _decided(commands.approve, "The command is approved.", command_id, ruling_id=ruling_id)


def _reject(command_id: str) -> None:
    why = str(st.session_state.get(f"reject-why-{command_id}", ""))
    _decided(commands.reject, "The command is rejected.", command_id, reason=why)


def _done(command_id: str) -> None:
    _decided(commands.done, "The command is marked as carried out.", command_id)


def _undo(command_id: str) -> None:
    _decided(commands.undo, "The command is being undone.", command_id)
