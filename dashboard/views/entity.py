"""One entity: its metrics, what was expected, its anomalies, episodes and rulings."""

import streamlit as st

from dashboard import cards, history, lists, markup, reading, shell, summary, tables, words
from dashboard.panels import reveal

NO_FLAG = "<b>Nothing has been flagged yet.</b> Type a part of a name to find any entity."
NOT_FOUND = "<b>No entity has this in its name.</b> Try a part of it."
SPANS = {"3 hours": 3 * 3600, "24 hours": 86_400, "7 days": 7 * 86_400, "All": 366 * 86_400}


def find(name: str) -> None:
    """The search field, and what it finds as links; the most severe when neither typed nor chosen."""
    typed = st.text_input(
        "Find an entity", key="typed", placeholder="A part of its name: A13, checkout, cpu …", icon=":material/search:"
    )
    if name and not typed:
        return
    found = [
        row
        for row in reading.rows("dashboard_found", typed=reveal.searched(typed.strip()[:200]), most=24)
        if typed or row["episodes"]
    ]
    st.html(markup.head("Found" if typed else "Flagged most severely", "the worst severity first"))
    st.html(lists.results(found) if found else markup.note(NOT_FOUND if typed else NO_FLAG))


def chart(entity: reading.Row) -> None:
    default = "7 days" if entity["kind"] in ("account", "counterparty") else "24 hours"
    span = st.segmented_control(
        "Range", list(SPANS), default=default, required=True, label_visibility="collapsed", key="entity-span"
    )
    window = reading.window(entity, reading.Range(SPANS[span], 60))
    hits = history.within(reading.flagged(entity), window, SPANS[span])
    if window.empty and hits.empty:
        st.html(markup.note("<b>No metrics kept of this entity.</b> They are removed after their retention."))
        return
    figure = history.history(entity["kind"], entity["qualifier"], window, hits, shell.colours())
    shell.chart(figure, "history", f"Metrics of {entity['entity']} with {len(hits)} anomalies and their expected ranges")


def flagged(found: list[reading.Row], entity: reading.Row) -> None:
    """The newest anomaly with the window it was judged against, then all of them, then the episodes."""
    newest = found[0]
    st.html(markup.head("Judged against", f"the window before the newest anomaly, {words.instant(newest['event_time'])}"))
    st.html(markup.facts(summary.context(newest, entity["qualifier"])))
    st.html(markup.head("Anomalies", "newest first") + tables.anomalies(found[:12], entity["qualifier"]))
    grouped = reading.rows("dashboard_entity_episodes", entity_hash=entity["entity_hash"], most=30)
    st.html(markup.head("Episodes", "consecutive anomalies are one episode and one case") + tables.episodes(grouped))


def shown(name: str) -> None:
    entity = reading.one("dashboard_entity", entity=name)
    if entity is None:
        st.html(markup.note(f"<b>No entity is named {words.escaped(name, 200)}.</b> Look for it by a part of its name."))
        return
    kind, subject, qualifier = words.named(entity["entity"])
    st.html(markup.title(subject, " ".join(part for part in (kind, qualifier) if part)) + markup.facts(summary.known(entity)))
    reveal.offer([entity["entity"]], "entity")
    st.html(markup.head("Window", "red ◆ an anomaly; the band beside it is the range expected before it was learned"))
    chart(entity)
    found = reading.rows("dashboard_entity_anomalies", entity_hash=entity["entity_hash"], most=300)
    if found:
        flagged(found, entity)
    ruled = reading.rows("dashboard_entity_rulings", entity=name, most=20)
    st.html(markup.head("Rulings", "superseded ones too"))
    st.html(
        cards.rulings(ruled, "entity", opened=1) if ruled else markup.note("<b>The council has not ruled on this entity.</b>")
    )


shell.begin()
name = st.query_params.get("name", "")
shell.guarded(lambda: find(name))()
if name:
    shell.live(lambda: shown(name))
