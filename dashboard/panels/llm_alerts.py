"""Alerts on model calls: those there are, what caused them, and the rules behind them."""

import re

import streamlit as st

from dashboard import llm, markup, reading, shell, words
from dashboard.errors import NotFilled
from dashboard.panels import choice, download
from observe import alerts, projects
from observe.measure import METRICS
from trust.roles import Role

STATES = {"Open": "open", "Acknowledged": "acknowledged", "Resolved": "resolved", "All": None}
NONE = "<b>No such alert.</b> Rules look at every project and model; make one below."
WINDOWS = {"15 minutes": 900, "1 hour": 3600, "6 hours": 21_600, "1 day": 86_400, "7 days": 604_800}


def show() -> None:
    state = choice.of("State", STATES, "alerts")
    found = alerts.listed(
        reading.tenant(), reading.caller().tenant, state=state, only=projects.allowed(reading.caller()), limit=50
    )
    st.html(markup.head("Alerts", "a threshold crossed, or a drop against last week, per project and model"))
    st.html(llm.alerts(found) if found else markup.note(NONE))
    for row in found[:10]:
        _one(row)
    download.offer(found, "alerts-on-model-calls")
    rules()


def _one(row: reading.Row) -> None:
    """Exactly the traces that made it, its history, and what to do with it."""
    key = row["firing_id"]
    with st.expander(f"{words.short(row['opened_at'])}: {_plain(llm.alert_words(row))}, {row['state']}", key=f"alert-{key}"):
        whole = alerts.get(reading.tenant(), reading.caller().tenant, key, traces=20)
        links = "".join(
            f'<li><a href="{words.link("trace", trace=one["trace_id"])}">{words.escaped(one["trace_id"], 40)}</a> '
            f'<span class="cv-soft">{llm.said(one["value"], METRICS[row["metric"]].unit)}</span></li>'
            for one in whole["traces"]
        )
        history = "".join(
            f"<li>{words.instant(one['at'])} {words.escaped(one['action'])} by {words.escaped(one['actor'], 60)} "
            f"{words.escaped(one['note'], 200)}</li>"
            for one in whole["log"]
        )
        st.html(f"<h3>Traces that caused it</h3><ul>{links}</ul><h3>History</h3><ul>{history}</ul>")
        if row["state"] != "resolved" and reading.caller().may(Role.analyst, "traces"):
            with st.container(horizontal=True):
                if row["state"] == "open":
                    st.button("Acknowledge", key=f"ack-{key}", on_click=_acknowledge, args=(key, row["version"]))
                st.button("Resolve", key=f"res-{key}", on_click=_resolve, args=(key, row["version"]))


def _plain(text: str) -> str:
    return re.sub(r"[^\w .,:%-]", " ", words.visible(text, 160))


def _acknowledge(firing_id: str, version: int) -> None:
    def change() -> None:
        who = reading.caller()
        with reading.tenant().connection() as connection:
            alerts.acknowledge(connection, who.tenant, firing_id, who.actor, shell.now(), version)

    shell.change(change, "You look after it.", scope="traces")


def _resolve(firing_id: str, version: int) -> None:
    def change() -> None:
        who = reading.caller()
        with reading.tenant().connection() as connection:
            alerts.resolve(connection, who.tenant, firing_id, who.actor, "resolved on the page", shell.now(), version)

    shell.change(change, "The alert is resolved.", scope="traces")


def rules() -> None:
    """The rules in force, and a form for a new one."""
    who = reading.caller()
    found = alerts.rules(reading.tenant(), who.tenant, projects.allowed(who))
    columns = [
        markup.Column("Rule", "wide"),
        markup.Column("When", "wide"),
        markup.Column("Severity", "right"),
        markup.Column("", "tight"),
    ]
    st.html(
        markup.head("Rules")
        + (markup.table("Rules", columns, [_rule(row) for row in found]) if found else markup.note("<b>No rule yet.</b>"))
    )
    if not who.may(Role.admin, "traces"):
        return
    known = [row["project"] for row in projects.listed(reading.tenant(), who.tenant, projects.allowed(who))]
    if not known:
        return
    with st.popover("Make a rule", key="open-llm-rule"), st.form("llm-rule", border=False):
        st.text_input("Name", key="rule-id", placeholder="faithfulness-low", max_chars=64)
        st.selectbox("Project", known, key="rule-project")
        st.selectbox("Measure", list(METRICS), format_func=lambda name: METRICS[name].words.capitalize(), key="rule-metric")
        st.segmented_control(
            "Fires when it is",
            ["below", "above", "drop", "rise"],
            default="below",
            required=True,
            key="rule-comparison",
            help="Drop and rise compare with last week; the bar is a share of its value.",
        )
        st.number_input("Bar", 0.0, None, 0.5, key="rule-threshold", help="In the measure's unit: a share as 0.1, milliseconds …")
        st.selectbox("Over the last", list(WINDOWS), index=1, key="rule-window")
        st.number_input("With at least so many traces", 1, 1_000_000, 20, key="rule-least")
        st.form_submit_button("Make", type="primary", on_click=_make)


def _rule(row: reading.Row) -> tuple[str, ...]:
    span = words.age(row["window_s"])
    when = (
        f"{METRICS[row['metric']].words} {row['comparison']} {row['threshold']:g} over {span} of at least {row['least']} traces"
    )
    return (
        row["title"] or row["rule_id"],
        f"{when} in {row['project']}",
        words.severity(row["severity"]),
        "" if row["enabled"] else "switched off",
    )


def _make() -> None:
    state = st.session_state
    values = {
        "project": state["rule-project"],
        "metric": state["rule-metric"],
        "comparison": state["rule-comparison"],
        "threshold": float(state["rule-threshold"]),
        "window_s": float(WINDOWS[state["rule-window"]]),
        "least": int(state["rule-least"]),
    }

    def make() -> None:
        name, who = str(state["rule-id"]).strip(), reading.caller()
        if not name:
            raise NotFilled("The rule needs a name.")
        with reading.tenant().connection() as connection:
            alerts.create(connection, who.tenant, name, values, who.actor)

    shell.change(make, "The rule is made; it is looked at within a minute.", role=Role.admin, scope="traces")
