"""Traces of model calls in words and HTML, from what observe/ measures; what nobody knows is said to be unknown."""

from collections.abc import Sequence
from typing import Any

from dashboard import words
from dashboard.markup import Column, Html, Tile, table
from dashboard.words import UNKNOWN, escaped
from observe.detail import Part
from observe.estimates import Estimate
from observe.measure import METRICS, Measured
from observe.reports import Compared, Line, Overview

Row = dict[str, Any]


def said(value: float | None, unit: str) -> str:
    """A measured number with its unit."""
    if value is None:
        return "unknown"
    if unit == "share":
        return f"{value * 100:.1f} %"
    if unit == "ms":
        return words.quantity(value, "ms")
    if unit == "cost":
        return f"{value:,.4f}" if abs(value) < 1 else f"{value:,.2f}"
    return f"{value:.2f}" if unit == "score" else words.count(value)


def estimated(metric: str, estimate: Estimate) -> str:
    """The estimate with its 95 % interval, where there are enough traces for one."""
    unit = METRICS[metric].unit if metric in METRICS else "ms"
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return said(estimate.value, unit)
    return f"{said(estimate.value, unit)} ({said(estimate.low, unit)} to {said(estimate.high, unit)})"


TILES = {
    "faithfulness": "Faithfulness",
    "hallucination_rate": "Hallucinations",
    "error_rate": "Errors",
    "latency_p95": "Latency, p95",
    "cost_total": "Cost",
}


def tiles(found: Overview, currency: str) -> list[Tile]:
    """How many traces came, and what is measured of them; estimates are corrected for sampling."""
    shown = [Tile("Traces", words.count(found.seen), f"{words.count(found.kept)} kept; figures count the others, too")]
    for name, label in TILES.items():
        if (measured := found.measured.get(name)) is not None:
            shown.append(_tile(label, measured, currency))
    return shown


def _tile(label: str, measured: Measured, currency: str) -> Tile:
    metric, estimate = METRICS[measured.metric], measured.estimate
    value = f"{said(estimate.value, metric.unit)}{f' {currency}' if metric.unit == 'cost' and estimate.value is not None else ''}"
    unknown = f", unknown of {words.count(measured.unknown)}" if measured.unknown else ""
    hot = metric.name == "hallucination_rate" and (estimate.value or 0) > 0.1
    return Tile(
        label, value.capitalize() if estimate.value is None else value, f"of {words.count(measured.known)} traces{unknown}", hot
    )


def marked(parts: Sequence[Part]) -> str:
    """An answer with its unsupported sentences marked, each with why."""
    return "".join(
        f'<mark class="cv-bad" title="{escaped(part.why, 300)}">{escaped(part.text, 4000)}</mark>'
        if part.supported is False
        else escaped(part.text, 4000)
        for part in parts
    )


def unsupported(parts: Sequence[Part]) -> list[str]:
    return [part.why for part in parts if part.supported is False]


def worst(rows: Sequence[Row], metric: str) -> str:
    """The worst answers, each with what was asked and which of its sentences nothing supports."""
    return f'<ul class="cv-list cv-feed">{"".join(_bad(row, metric) for row in rows)}</ul>'


def _bad(row: Row, metric: str) -> str:
    whys = "; ".join(dict.fromkeys(why for why in unsupported(row["parts"]) if why))
    said_of = " · ".join(part for part in (row["model"] or "model unknown", words.short(row["started_at"]), whys) if part)
    asked = escaped(row["query"] or "(no question)", 300)
    return (
        f'<li><div class="cv-line"><a class="cv-name" href="{words.link("trace", trace=row["trace_id"])}">{asked}</a>'
        f"<span>{escaped(metric.replace('_', ' '))} {said(row['value'], 'score')}</span></div>"
        f'<div class="cv-answer">{marked(row["parts"]) or "<i>no answer</i>"}</div>'
        f'<div class="cv-values">{escaped(said_of, 700)}</div></li>'
    )


def costs(lines: Sequence[Line], what: str, currency: str) -> str:
    """Cost and work by model, prompt or project."""
    columns = [
        Column(what.capitalize(), "wide"),
        Column("Traces", "right"),
        Column(f"Cost, {currency}", "right"),
        Column("Cost unknown", "right"),
        Column("Tokens each", "right"),
        Column("p50", "right"),
        Column("p95", "right"),
        Column("Errors", "right"),
    ]
    return table(
        f"Cost by {what}",
        columns,
        [
            (
                line.name or "unknown",
                words.count(line.traces),
                estimated("cost_total", line.cost),
                words.count(line.unknown_cost),
                said(line.tokens.value, "tokens"),
                said(line.latency_p50, "ms"),
                said(line.latency_p95, "ms"),
                said(line.error_rate.value, "share"),
            )
            for line in lines
        ],
    )


def compared(found: Sequence[Compared], one: str, other: str) -> str:
    """Two models or prompts side by side; a difference counts only when its interval leaves out 0."""
    columns = [
        Column("Measure", "wide"),
        Column(one or "unknown", "right"),
        Column(other or "unknown", "right"),
        Column("Difference", "right"),
        Column("", "tight"),
    ]
    return table("Comparison", columns, [_row(line) for line in found])


def _row(line: Compared) -> tuple[str, ...]:
    clear = {True: "clear", False: "may be chance", None: "too few to tell"}[line.clear]
    name = METRICS[line.metric].words if line.metric in METRICS else line.metric.replace("_", " ")
    return (
        name.capitalize(),
        estimated(line.metric, line.one),
        estimated(line.metric, line.other),
        estimated(line.metric, line.difference),
        clear,
    )


def scores(rows: Sequence[Row]) -> str:
    columns = [Column("Score", "tight"), Column("Value", "right"), Column("By", "tight"), Column("Why", "wide")]
    return table(
        "Scores",
        columns,
        [(row["metric"].replace("_", " "), said(row["value"], "score"), row["scorer"], row["why"]) for row in rows],
    )


def alerts(rows: Sequence[Row]) -> str:
    """Alerts on model calls, newest first."""
    columns = [
        Column("Opened", "tight"),
        Column("What", "wide"),
        Column("Value", "right"),
        Column("Bar", "right"),
        Column("State", "tight"),
    ]
    return table("Alerts on model calls", columns, [_alert(row) for row in rows])


def _alert(row: Row) -> tuple[str, ...]:
    unit = METRICS[row["metric"]].unit if row["metric"] in METRICS else ""
    style = {"open": "confirmed", "acknowledged": "unresolved"}.get(row["state"], "dismissed")
    state = Html(f'<span class="cv-tag cv-{style}">{escaped(row["state"])}</span>')
    return (words.short(row["opened_at"]), alert_words(row), said(row["value"], unit), bar(row), state)


def alert_words(row: Row) -> str:
    metric = METRICS[row["metric"]].words if row["metric"] in METRICS else row["metric"]
    return f"{metric} {row['comparison']} in {row['project']}, {row['model'] or 'model unknown'}"


def bar(row: Row) -> str:
    """The threshold in the metric's unit; of a drop or rise the share of last week's value."""
    if row["comparison"] in ("drop", "rise"):
        return f"{row['threshold'] * 100:.0f} % against last week's {said(row['baseline'], METRICS[row['metric']].unit)}"
    return said(row["threshold"], METRICS[row["metric"]].unit if row["metric"] in METRICS else "") or UNKNOWN
