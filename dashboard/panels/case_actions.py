"""The row of actions under a case's head: what the case allows, for those who may."""

from datetime import datetime, time, timedelta

import streamlit as st

from dashboard import reading, shell, words
from dashboard.panels.case_steps import act
from desk import life
from trust.roles import Role

Row = reading.Row
CLOSED = ("resolved", "dismissed")
SPANS = {"1 hour": 1, "4 hours": 4, "Until tomorrow": 24, "3 days": 72, "1 week": 168}


def show(row: Row) -> None:
    """Buttons for what takes one press, popovers for what asks for words."""
    if not shell.may(Role.analyst, "Working on a case", "cases"):
        return
    given = (row["case_id"], row["version"])
    with st.container(horizontal=True, gap="small", key="case-actions"):
        if row["status"] in CLOSED:
            press("Reopen", "reopen", "It is open again.", given)
        else:
            _steps(row, given)
        _comment(given)
        _tags(row, given)
        _more(row, given)


def press(label: str, action: str, done: str, given: tuple[str, int], key: str | None = None, **detail: object) -> None:
    """A button that does one thing to the case as it was shown."""
    st.button(
        label, key=f"do-{action}", shortcut=key, on_click=_pressed, args=(*given, action, done, detail),
        type="primary" if action == "acknowledge" else "secondary",
    )  # fmt: skip


def _pressed(case_id: str, version: int, action: str, done: str, detail: dict[str, object]) -> None:
    shell.change(lambda: act(case_id, version, action, **detail), done, scope="cases")


def _steps(row: Row, given: tuple[str, int]) -> None:
    if row["status"] == "open":
        press("Acknowledge", "acknowledge", "You acknowledged it.", given, "A")
    if row["status"] != "investigating":
        press("Investigate", "investigate", "You are investigating it.", given, "I")
    if row["assignee"] != reading.caller().actor:
        press("Take it", "assign", "It is yours.", given, "T", assignee=reading.caller().actor)
    _close(given, "resolve", "Resolve", life.RESOLVED, "E")
    _close(given, "dismiss", "Dismiss", life.DISMISSED, "D")
    if row["snoozed_until"] is not None:
        press("Wake", "wake", "It is in the inbox again.", given)
    else:
        _snooze(given)
    if row["held_by"] is not None:
        press("Release", "release", "It is in the inbox again.", given)


def _close(given: tuple[str, int], action: str, label: str, reasons: dict[str, str], key: str) -> None:
    """A reason from the list, and words of one's own."""
    with st.popover(label, key=f"open-{action}"), st.form(f"form-{action}", border=False):
        st.selectbox("Reason", list(reasons), format_func=lambda name: reasons[name].capitalize(), key=f"{action}-reason")
        st.text_area("In your words", key=f"{action}-text", max_chars=4000, help="Needed for another reason.")
        if action == "dismiss":
            st.number_input("Keep recurrences quiet for so many days", 1, 365, 30, key="dismiss-days")
        st.form_submit_button(label, type="primary", on_click=_closed, args=(*given, action))


def _closed(case_id: str, version: int, action: str) -> None:
    state = st.session_state
    detail = {"reason": state[f"{action}-reason"], "text": state[f"{action}-text"]}
    if action == "dismiss":
        detail["expires_at"] = shell.now() + timedelta(days=int(state["dismiss-days"]))
    done = "The case is resolved." if action == "resolve" else "The case is dismissed."
    shell.change(lambda: act(case_id, version, action, **detail), done, scope="cases")


def _snooze(given: tuple[str, int]) -> None:
    with st.popover("Snooze", key="open-snooze"), st.form("form-snooze", border=False):
        st.selectbox("For", [*SPANS, "Until a day"], key="snooze-span")
        st.date_input("Day, when chosen above", key="snooze-day", min_value=shell.now().date())
        st.text_input("Why", key="snooze-text", max_chars=400)
        st.caption("It breaks by itself when the case gets worse than it is now.")
        st.form_submit_button("Snooze", type="primary", on_click=_snoozed, args=given)


def _snoozed(case_id: str, version: int) -> None:
    state = st.session_state
    span = SPANS.get(state["snooze-span"])
    until = shell.now() + timedelta(hours=span) if span else datetime.combine(state["snooze-day"], time(8), shell.zone())
    shell.change(
        lambda: act(case_id, version, "snooze", until=until, text=state["snooze-text"]), "The case is snoozed.", scope="cases"
    )


def _comment(given: tuple[str, int]) -> None:
    with st.popover("Comment", key="open-comment"), st.form("form-comment", border=False, clear_on_submit=True):
        st.text_area("Comment", key="comment-text", max_chars=4000)
        st.form_submit_button("Add", type="primary", on_click=_commented, args=given)


def _commented(case_id: str, version: int) -> None:
    text = st.session_state["comment-text"]
    shell.change(lambda: act(case_id, version, "comment", text=text), "Your comment is in the timeline.", scope="cases")


def _tags(row: Row, given: tuple[str, int]) -> None:
    known = sorted({*row["tags"], *(one["tag"] for one in reading.rows("dashboard_tags"))})
    with st.popover("Tags", key="open-tags"), st.form("form-tags", border=False):
        st.multiselect(
            "Tags", known, default=list(row["tags"]), accept_new_options=True, key=f"tags-{given[1]}", max_selections=20
        )
        st.form_submit_button("Set", type="primary", on_click=_tagged, args=(*given, tuple(row["tags"])))


def _tagged(case_id: str, version: int, was: tuple[str, ...]) -> None:
    wanted = [str(tag) for tag in st.session_state[f"tags-{version}"]]
    new, gone = [tag for tag in wanted if tag not in was], [tag for tag in was if tag not in wanted]

    def both() -> None:
        after = act(case_id, version, "tag", tags=new) if new else version
        if gone:
            act(case_id, after, "untag", tags=gone)

    shell.change(both, "The tags are set.", scope="cases")


def _more(row: Row, given: tuple[str, int]) -> None:
    """Giving it to somebody, escalating, linking."""
    with st.popover("More", key="open-more"):
        with st.form("form-assign", border=False):
            st.text_input("Give it to", key="assign-whom", value=row["assignee"] or "", max_chars=200,
                          help="A name or an actor such as key:ID; empty: nobody.")  # fmt: skip
            st.form_submit_button("Give", on_click=_filled, args=(*given, "assign", "assignee", "assign-whom", "It is given."))
        with st.form("form-link", border=False, clear_on_submit=True):
            st.text_input("Link to", key="link-target", placeholder="https://… or case-…", max_chars=2000)
            st.form_submit_button("Link", on_click=_filled, args=(*given, "link", "target", "link-target", "It is linked."))
        if row["status"] not in CLOSED:
            with st.form("form-escalate", border=False, clear_on_submit=True):
                st.text_input("Escalate to", key="escalate-to", max_chars=200)
                st.form_submit_button(
                    "Escalate", on_click=_filled, args=(*given, "escalate", "to", "escalate-to", "It is escalated.")
                )


def _filled(case_id: str, version: int, action: str, name: str, key: str, done: str) -> None:
    said = words.visible(st.session_state[key], 2000).strip()
    shell.change(lambda: act(case_id, version, action, **{name: said}), done, scope="cases")
