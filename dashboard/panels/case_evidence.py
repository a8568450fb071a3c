"""What a case rests on: rulings with their citations, charts of its entities, anomalies; and what people think of it."""

import streamlit as st

from dashboard import cards, casetables, history, markup, reading, shell, words
from dashboard.panels import download, reveal
from desk import feedback as opinions
from desk import life
from trust.roles import Role

Row = reading.Row
SPANS = {"3 hours": 3 * 3600, "24 hours": 86_400, "7 days": 7 * 86_400, "All": 366 * 86_400}


def rulings(row: Row) -> None:
    found = reading.rows("dashboard_case_rulings", case_id=row["case_id"])
    st.html(markup.head("Ruling", "a citation opens its source; superseded rulings are on the entity's page"))
    st.html(
        cards.rulings(found, "case", opened=1) if found else markup.note("<b>No ruling is in force.</b> It is being heard again.")
    )


def feedback(row: Row) -> None:
    """Whether the council was right, kept with who said it and what was shown."""
    found = reading.rows("dashboard_case_rulings", case_id=row["case_id"])
    given = reading.rows("dashboard_case_feedback", case_id=row["case_id"])
    if given:
        st.html(markup.head("Feedback", "the newest of each person counts") + casetables.feedback(given))
    if not found or not reading.caller().may(Role.analyst, "feedback"):
        return
    ruling_id = found[0]["ruling_id"]
    with reading.tenant().connection() as connection:
        shown_hash = opinions.shown(connection, reading.caller().tenant, "ruling", ruling_id)["shown_hash"]
    with st.popover("Was the council right?", key="open-feedback"), st.form("form-feedback", border=False, clear_on_submit=True):
        st.segmented_control("Verdict", ["confirm", "dismiss"], default="confirm", required=True, key="feedback-verdict",
                             format_func=lambda verb: "It is what it says" if verb == "confirm" else "It is not")  # fmt: skip
        st.selectbox("Reason", [None, *life.DISMISSED], key="feedback-reason",
                     format_func=lambda name: "No reason" if name is None else life.DISMISSED[name].capitalize())  # fmt: skip
        st.text_area("In your words", key="feedback-text", max_chars=2000)
        st.form_submit_button("Give feedback", type="primary", on_click=_give, args=(ruling_id, shown_hash))


def _give(ruling_id: str, shown_hash: str) -> None:
    state = st.session_state

    def give() -> None:
        with reading.tenant().connection() as connection:
            opinions.give(
                connection, reading.caller(), about="ruling", subject_id=ruling_id, verdict=state["feedback-verdict"], via="page",
                reason=state["feedback-reason"], comment=state["feedback-text"], shown_hash=shown_hash,
            )  # fmt: skip

    shell.change(give, "Thank you, your feedback is kept.", scope="feedback")


def charts(row: Row) -> None:
    """The chart of one entity of the case, and the anomalies of all."""
    members = reading.rows("dashboard_case_members", case_id=row["case_id"])
    names = list(dict.fromkeys(member["entity"] for member in members))
    with st.container(horizontal=True, gap="small"):
        name = names[0]
        if len(names) > 1:
            name = st.selectbox("Entity", names, format_func=lambda one: words.visible(one, 80), key="case-entity",
                                label_visibility="collapsed", width=360)  # fmt: skip
        default = "7 days" if name.startswith(("account", "counterparty")) else "24 hours"
        span = st.segmented_control("Range", list(SPANS), default=default, required=True, label_visibility="collapsed",
                                    key=f"case-span-{default}")  # fmt: skip
    reveal.offer(names, "case")
    _chart(str(name), SPANS[str(span)])
    found = reading.rows("dashboard_case_anomalies", case_id=row["case_id"], most=200)
    st.html(markup.head("Anomalies", f"{len(found)} kept of {row['hits']} hits, newest first"))
    st.html(casetables.anomalies(found[:25]))
    download.offer(found, "anomalies-of-the-case")


def _chart(name: str, span_s: int) -> None:
    entity = reading.one("dashboard_entity", entity=name)
    if entity is None:
        st.html(markup.note("<b>Nothing is kept of this entity.</b> Its metrics have passed their retention."))
        return
    window = reading.window(entity, reading.Range(span_s, 60))
    hits = history.within(reading.flagged(entity), window, span_s)
    if window.empty and hits.empty:
        st.html(markup.note("<b>No metrics kept of this entity.</b> They are removed after their retention."))
        return
    figure = history.history(entity["kind"], entity["qualifier"], window, hits, shell.colours())
    shell.chart(figure, f"case-{name}", f"Metrics of {name} with {len(hits)} anomalies and their expected ranges")
    st.html(f'<a href="{words.link("entity", name=name)}">Open the entity</a>')
