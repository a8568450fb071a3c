"""What needs somebody now, then how the stream runs, then what was ruled."""

import streamlit as st

from dashboard import cards, charts, lists, markup, reading, shell, summary, words

KINDS = {"Services": "service", "Accounts": "account", "Counterparties": "counterparty", "Series": "series"}
OUTCOMES = {"All": None, "Confirmed": "confirmed", "Unresolved": "unresolved", "Dismissed": "dismissed"}


def head() -> None:
    pulse = reading.pulse()
    st.html(summary.status(pulse))
    if pulse["newest_event"] is None:
        st.html(markup.note(summary.NO_EVENTS))
        return
    council = reading.council(reading.rows("dashboard_workers"))
    st.html(markup.strip(summary.tiles(pulse, reading.rows("dashboard_docket"), council), "Key figures"))


def needs_you() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        title = st.empty()
        with st.container(horizontal=True, width="content", gap="small"):
            kind = st.segmented_control(
                "Kind", ["All", *KINDS], default="All", required=True, label_visibility="collapsed", key="needed"
            )
            most = st.segmented_control(
                "Shown at most", [6, 25, 100], default=6, required=True, label_visibility="collapsed", key="most"
            )
    found = reading.rows("dashboard_needs_you", kind=KINDS.get(kind), most=most)
    title.html(markup.head("Needs you now", summary.confirmed(found)))
    st.html(cards.rulings(found, "now") if found else markup.note(summary.NOTHING))


def metrics() -> None:
    st.html(markup.head("Metrics", f"red bars with ▼ hold an anomaly; event time in {words.zone(shell.now())}"))
    with st.container(horizontal=True, gap="small"):
        kind = st.segmented_control(
            "Entities", list(KINDS), default="Services", required=True, label_visibility="collapsed", key="kind"
        )
        span = st.segmented_control(
            "Range", list(reading.RANGES), default="24 hours", required=True, label_visibility="collapsed", key="span"
        )
        measure = st.segmented_control(
            "Measure",
            list(charts.measures(KINDS[kind])),
            label_visibility="collapsed",
            required=True,
            default=next(iter(charts.measures(KINDS[kind]))),
            key=f"measure-{kind}",
        )
    frame = reading.buckets(KINDS[kind], reading.RANGES[span], most=6)
    if frame.empty:
        st.html(markup.note(f"<b>No metrics of {kind.lower()} yet.</b> They appear with the first batch that holds one."))
        return
    column, unit = charts.measures(KINDS[kind])[measure]
    shell.chart(charts.overview(frame, column, unit, shell.colours()), "overview", charts.described(frame, kind, measure, span))


def rulings() -> None:
    st.html(markup.head("Rulings", "newest first"))
    chosen = st.segmented_control(
        "Outcome", list(OUTCOMES), default="All", required=True, label_visibility="collapsed", key="outcome"
    )
    found = reading.rows("dashboard_rulings", outcome=OUTCOMES[chosen], most=8)
    st.html(
        cards.rulings(found, "ruled", opened=1)
        if found
        else markup.note("<b>No such ruling yet.</b> The council rules as cases reach the docket.")
    )


def anomalies() -> None:
    found = reading.rows("dashboard_anomalies", most=12)
    st.html(markup.head("Newest anomalies", "the last hit of each episode"))
    st.html(
        lists.feed(found) if found else markup.note("<b>No anomaly yet.</b> An entity is judged once its window has warmed up.")
    )


shell.begin()
st.html('<h1 class="cv-sr">Live</h1>')
shell.live(head)
shell.live(needs_you)
shell.live(metrics)
wide, narrow = st.columns([2, 1], gap="medium")
with wide:
    shell.live(rulings)
with narrow:
    shell.live(anomalies)
