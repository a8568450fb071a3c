"""Lists of links and lines: newest anomalies, found entities, the runbook's contents."""

from itertools import groupby
from typing import Any

from dashboard import words
from dashboard.cards import entity
from dashboard.words import escaped

Row = dict[str, Any]


def feed(rows: list[Row]) -> str:
    """The newest anomalies, each a few lines: who, what, against what was expected, when."""
    return f'<div class="cv-list"><ul class="cv-feed">{"".join(_flagged(row) for row in rows)}</ul></div>'


def _flagged(row: Row) -> str:
    qualifier = words.named(row["entity"])[2]
    value = words.quantity(row["value"], row["unit"], qualifier)
    usual = words.between(row["low"], row["high"], row["unit"], qualifier)
    nth = f", hit {row['ordinal']} of {row['hits']}" if row["hits"] and row["hits"] > 1 else ""
    return (
        f'<li><div class="cv-line">{entity_link(row["entity"])}'
        f"<span>{words.short(row['event_time'])}</span></div>"
        f'<div><b class="cv-num">{escaped(value)}</b> <span class="cv-soft">expected {escaped(usual)}</span></div>'
        f'<div class="cv-values">{escaped(words.detector(row["detector"]))}, severity {words.severity(row["severity"])}{nth}'
        "</div></li>"
    )


def entity_link(name: str) -> str:
    return f'<a class="cv-name" href="{words.link("entity", name=name)}">{entity(name)}</a>'


def results(rows: list[Row]) -> str:
    """Found entities as links, with how often and how badly each was flagged."""
    return f'<ul class="cv-found">{"".join(_result(row) for row in rows)}</ul>'


def _result(row: Row) -> str:
    episodes = row["episodes"]
    said = (
        "never flagged"
        if not episodes
        else f"{episodes} episode{'' if episodes == 1 else 's'}, worst {words.severity(row['severity'])}"
    )
    return f'<li><div class="cv-line">{entity_link(row["entity"])}<span>{said}</span></div></li>'


def contents(rows: list[Row], chosen: str) -> str:
    """The runbook's sections under their document's chapters, the open one marked."""
    chapters = groupby(rows, key=lambda row: (row["title"], row["heading_path"][0] if row["heading_path"] else ""))
    listed = "".join(_chapter(chapter or title, list(of), chosen) for (title, chapter), of in chapters)
    return f'<nav aria-label="Runbook contents">{listed}</nav>'


def _chapter(name: str, rows: list[Row], chosen: str) -> str:
    entries = "".join(_entry(row, chosen) for row in rows)
    return f'<h2 class="cv-head">{escaped(name)}</h2><ul class="cv-toc">{entries}</ul>'


def _entry(row: Row, chosen: str) -> str:
    path = row["heading_path"] or [row["title"]]
    current = ' aria-current="page"' if row["section_id"] == chosen else ""
    return (
        f'<li{current} style="padding-left:{0.9 * max(0, len(path) - 2):.1f}rem">'
        f'<a href="{words.link("runbook", section=row["section_id"])}">{escaped(path[-1], 120)}</a></li>'
    )
