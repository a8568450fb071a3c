"""One trace: the answer with its claims marked, its scores, its steps as a waterfall."""

import streamlit as st

from dashboard import llm, llm_charts, markup, reading, shell, words
from observe import detail, projects
from observe.errors import UnknownTrace
from store.settings import settings

WHICH = '<b>Which trace?</b> Open one from the <a href="traces?tab=Worst+answers">worst answers</a>.'
GONE = "<b>There is no such trace.</b> It may have passed its retention, or sampling did not keep it."


def show() -> None:
    who = reading.caller()
    named = st.query_params.get("trace", "")
    if not named:
        st.html(markup.note(WHICH))
        return
    try:
        found = detail.trace(reading.tenant(), settings(), who.tenant, named, projects.allowed(who))
    except UnknownTrace:
        st.html(markup.note(GONE))
        return
    st.html(markup.title(found["query"] or found["name"], f"{found['project']} · {found['name']} · {named}"))
    st.html(markup.facts(facts(found)))
    answer(found)
    st.html(markup.head("Steps", "when each began and how long it took"))
    if found["waterfall"]:
        shell.chart(
            llm_charts.waterfall(found["waterfall"], shell.colours()),
            "waterfall",
            f"{len(found['waterfall'])} steps of the trace",
        )
    contexts(found)
    st.html(markup.head("Scores") + llm.scores(found["scores"]) if found["scores"] else markup.note("<b>Not scored yet.</b>"))


def facts(row: reading.Row) -> list[tuple[str, str]]:
    tokens = (
        "unknown" if row["tokens_in"] is None else f"{words.count(row['tokens_in'])} in, {words.count(row['tokens_out'])} out"
    )
    kept = ", ".join(row["kept_for"]) or "not decided"
    return [
        ("Model", row["model"] or "unknown"),
        ("Began", words.instant(row["started_at"])),
        ("Took", words.quantity(row["latency_ms"], "ms")),
        ("Tokens", tokens),
        ("Cost", llm.said(row["cost"], "cost") + (f" ({row['cost_why']})" if row["cost_why"] else "")),
        ("Kept for", f"{kept}; stands for {row['weight']:.1f}"),
    ]


def answer(row: reading.Row) -> None:
    st.html(markup.head("Answer", "sentences that its contexts do not support are marked"))
    if row["error"]:
        st.html(markup.note(f"<b>It failed.</b> {words.escaped(row['error'], 600)}", fault=True))
    st.html(f'<div class="cv-answer cv-quote">{llm.marked(row["parts"]) or "no answer"}</div>')
    if whys := llm.unsupported(row["parts"]):
        st.html(f'<ul class="cv-checks">{"".join(f"<li>{words.escaped(why, 300)}</li>" for why in whys)}</ul>')


def contexts(row: reading.Row) -> None:
    if row["contexts"]:
        said = "".join(f"<li>{words.escaped(text, 3000)}</li>" for text in row["contexts"])
        head = f"<summary>{len(row['contexts'])} contexts it was to rest on</summary>"
        st.html(f'<details class="cv-evidence">{head}<ol>{said}</ol></details>')


shell.begin()
shell.guarded(show)()
