"""Calls of language models: how they do, the worst answers, what they cost, two of them compared, and alerts."""

from datetime import timedelta

import streamlit as st

from dashboard import llm, llm_charts, markup, reading, shell
from dashboard.panels import choice, download, filters, llm_alerts
from observe import prices, projects, reports
from observe.measure import METRICS
from observe.reports import Stretch
from store.settings import settings

SPANS = {
    "24 hours": (timedelta(days=1), timedelta(hours=1)),
    "7 days": (timedelta(days=7), timedelta(hours=6)),
    "30 days": (timedelta(days=30), timedelta(days=1)),
}
KEPT = ("span", "project", "tab", "metric", "by", "bad")
TRENDS = ("faithfulness", "hallucination_rate", "relevancy", "error_rate", "latency_p95", "cost_total", "tokens_mean")
BAD = ("faithfulness", "relevancy", "context_precision", "toxicity", "pii", "injection")
NO_TRACES = (
    "<b>No traces in this time.</b> Send them to <code>POST /v1/traces</code> or by OTLP, or let <code>observe.sdk</code> do it; "
    "the council's and the chat's own calls come by themselves."
)


def stretch() -> Stretch:
    """What the page is about: the chosen time and project, of those that the reader may see."""
    who = reading.caller()
    span = SPANS.get(str(st.session_state.get("span")), SPANS["7 days"])[0]
    chosen = st.session_state.get("project")
    until = shell.now()
    return Stretch(
        who.tenant, until - span, until, None if chosen in (None, "All projects") else str(chosen), projects.allowed(who)
    )


def chooser() -> None:
    who = reading.caller()
    known = [row["project"] for row in projects.listed(reading.tenant(), who.tenant, projects.allowed(who))]
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        choice.one("Time", list(SPANS), "span", "7 days")
        st.selectbox(
            "Project", ["All projects", *known], key="project", bind="query-params", label_visibility="collapsed", width=220
        )
        filters.bar("traces", "views/traces.py", KEPT)


def overview() -> None:
    found = reports.overview(reading.tenant(), stretch())
    if not found.seen and not found.kept:
        st.html(markup.note(NO_TRACES))
        return
    st.html(markup.strip(llm.tiles(found, prices.read(settings().observe.price_file).currency), "Model calls"))
    metric = choice.one("Measure", TRENDS, "metric", said=lambda name: METRICS[name].words.capitalize())
    bucket = SPANS.get(str(st.session_state.get("span")), SPANS["7 days"])[1]
    points = reports.trends(reading.tenant(), stretch(), bucket, (metric,))
    if points:
        st.html(
            markup.head(
                METRICS[metric].words.capitalize(), "the band is the 95 % interval; estimates count what sampling dropped"
            )
        )
        shell.chart(
            llm_charts.trend(points, metric, shell.colours(), (stretch().since, stretch().until)),
            f"trend-{metric}",
            f"{METRICS[metric].words} over time",
        )


def worst() -> None:
    metric = choice.one("Score", BAD, "bad", said=lambda name: name.replace("_", " ").capitalize())
    found = reports.worst(reading.tenant(), settings(), stretch(), metric, 20)
    st.html(markup.head("Worst answers", "sentences that nothing in their contexts supports are marked"))
    st.html(
        llm.worst(found, metric) if found else markup.note("<b>Nothing is scored by this yet.</b> Scores come within seconds.")
    )
    download.offer([{name: row[name] for name in row if name != "parts"} for row in found], "worst-answers")


def costs() -> None:
    by = choice.one("By", ("model", "prompt", "project"), "by", said=str.capitalize)
    lines = reports.costs(reading.tenant(), stretch(), by)  # type: ignore[arg-type]
    st.html(markup.head("Cost and work", "the dearest first; a cost that nobody knows is counted apart, not as 0"))
    st.html(llm.costs(lines, by, prices.read(settings().observe.price_file).currency) if lines else markup.note(NO_TRACES))


def compare() -> None:
    by = choice.one("Compare", ("model", "prompt"), "of", said=lambda name: f"{name.capitalize()}s")
    names = [line.name for line in reports.costs(reading.tenant(), stretch(), by)]  # type: ignore[arg-type]
    if len(names) < 2:
        st.html(markup.note(f"<b>There is nothing to compare.</b> Only {len(names)} {by} answered in this time."))
        return
    with st.container(horizontal=True):
        one = st.selectbox("One", names, index=0, key=f"one-{by}", width=260)
        other = st.selectbox("Other", names, index=1, key=f"other-{by}", width=260)
    found = reports.compare(reading.tenant(), stretch(), by, one, other)  # type: ignore[arg-type]
    st.html(markup.head("Comparison", "with 95 % intervals; a difference is clear when its interval leaves out 0"))
    st.html(llm.compared(found, one, other))


shell.begin()
st.html('<h1 class="cv-sr">LLM traces</h1>')
shell.guarded(chooser)()
trends, bad, cost, two, alarms = st.tabs(["Trends", "Worst answers", "Cost", "Compare", "Alerts"], key="tab", bind="query-params")
with trends:
    shell.live(overview)
with bad:
    shell.still(worst)
with cost:
    shell.still(costs)
with two:
    shell.still(compare)
with alarms:
    shell.still(llm_alerts.show)
