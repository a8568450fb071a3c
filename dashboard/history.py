"""One entity's figure: its own metrics, and each anomaly beside the range that was expected of it."""

import math
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard import words
from dashboard.charts import bars, step_ms
from dashboard.look import Palette, dress
from dashboard.words import escaped


class Panel(NamedTuple):
    """A row of an entity's chart: its title, the unit of its anomalies, the metric drawn under them, its form."""

    title: str
    unit: str
    column: str
    form: str


REQUESTS = Panel("Requests a minute", "events", "count", "bars")
ERRORS = Panel("Error rate", "error rate", "error_rate", "line")
LATENCY = Panel("Latency, p95 of each minute, in ms", "ms", "p95", "line")
VALUE = Panel("Value, mean of each minute", "value", "mean", "line")
AMOUNTS = Panel("Amounts, lowest to highest of each hour", "amount", "mean", "range")
EVENTS = Panel("Events an hour", "", "count", "bars")
PANELS = {
    "service": (REQUESTS, ERRORS, LATENCY),
    "series": (VALUE,),
    "account": (AMOUNTS, EVENTS),
    "counterparty": (AMOUNTS, EVENTS),
}
WIDE = 25.0
FEW = 4
BURSTS = Panel("Events in a burst", "events", "", "none")


def panels(kind: str, anomalies: pd.DataFrame) -> list[Panel]:
    """The rows of an entity's chart; bursts have their own, for an account's hours are another measure."""
    chosen = list(PANELS.get(kind, PANELS["series"]))
    shown = {panel.unit for panel in chosen}
    if "events" in set(anomalies["unit"]) and "events" not in shown:
        chosen.append(BURSTS)
    return chosen


def within(anomalies: pd.DataFrame, window: pd.DataFrame, span_s: int) -> pd.DataFrame:
    """The anomalies of the chart's range: `span_s` seconds up to the newest bucket or anomaly."""
    newest = max((times.max() for times in (window["bucket"], anomalies["event_time"]) if len(times)), default=None)
    return anomalies if newest is None else anomalies[anomalies["event_time"] > newest - pd.Timedelta(seconds=span_s)]


def history(kind: str, qualifier: str, window: pd.DataFrame, anomalies: pd.DataFrame, colours: Palette) -> go.Figure:
    """One entity: its metrics, and each anomaly as a mark beside the range that was expected of it.

    `window`: bucket, count, error_rate, mean, min, max, p95, anomalies. `anomalies`: event_time, detector, value, expected, low,
    high, unit, severity. Times are UTC; `qualifier` is the currency of amounts.
    """
    chosen = panels(kind, anomalies)
    figure = make_subplots(
        rows=len(chosen), cols=1, shared_xaxes=True, vertical_spacing=0.09, subplot_titles=[panel.title for panel in chosen]
    )
    width_ms, floor = step_ms(window), log_floor(window, anomalies)
    for row, panel in enumerate(chosen, 1):
        for trace in _metric(panel, window, width_ms, qualifier, colours):
            figure.add_trace(trace, row=row, col=1)
        hits = anomalies[anomalies["unit"] == panel.unit]
        for trace in _expected(hits, floor if panel is AMOUNTS else None, qualifier, colours) if len(hits) else ():
            figure.add_trace(trace, row=row, col=1)
        _axis(figure, row, panel, floor)
    figure.for_each_annotation(lambda note: note.update(x=0, xanchor="left", font={"size": 13, "color": colours.ink}))
    return dress(figure, colours, height=190 * len(chosen) + 60, top=34)


def log_floor(window: pd.DataFrame, anomalies: pd.DataFrame) -> float | None:
    """Where a logarithmic axis of amounts begins, or None when they are close enough together for a linear one.

    The detectors judge the logarithm of an amount, and beside one large payment a linear axis would hide the usual range.
    """
    amounts = pd.concat([window["min"], window["max"], anomalies.loc[anomalies["unit"] == "amount", "value"]])
    positive = amounts[amounts > 0]
    return None if positive.empty or positive.max() < WIDE * positive.min() else float(positive.min()) / 2


def _axis(figure: go.Figure, row: int, panel: Panel, floor: float | None) -> None:
    figure.update_yaxes(rangemode="tozero", nticks=4, tickformat=".0%" if panel.unit == "error rate" else None, row=row, col=1)
    if panel is AMOUNTS and floor is not None:
        figure.update_yaxes(type="log", dtick=1, tickformat=",~f", row=row, col=1)


def _metric(panel: Panel, window: pd.DataFrame, width_ms: float, qualifier: str, colours: Palette) -> list[Any]:
    """What the buckets say, in the panel's form."""
    if panel.form == "none" or window.empty:
        return []
    if panel.form == "bars":
        return [bars(window, panel.column, "events", width_ms, colours)]
    if panel.form == "range":
        return [_spread(window, qualifier, colours)]
    said = [words.quantity(value, panel.unit) for value in window[panel.column]]
    return [
        go.Scatter(
            x=window["bucket"],
            y=window[panel.column],
            mode="lines",
            line={"color": colours.line, "width": 1.4},
            customdata=said,
            hovertemplate="%{x|%d %b %H:%M}<br>%{customdata}<extra></extra>",
            showlegend=False,
        )
    ]


def _spread(window: pd.DataFrame, qualifier: str, colours: Palette) -> go.Scatter:
    said = [
        f"{words.between(low, high, 'amount', qualifier)}, mean {words.quantity(mean, 'amount', qualifier)}"
        for low, high, mean in zip(window["min"], window["max"], window["mean"], strict=True)
    ]
    return go.Scatter(
        x=window["bucket"],
        y=window["mean"],
        mode="markers",
        marker={"color": colours.line, "size": 4},
        customdata=said,
        error_y={
            "array": window["max"] - window["mean"],
            "arrayminus": window["mean"] - window["min"],
            "symmetric": False,
            "color": colours.usual,
            "thickness": 2,
            "width": 0,
        },
        hovertemplate="%{x|%d %b %H:%M}<br>%{customdata}<extra></extra>",
        name="Hour: lowest, mean, highest",
        showlegend=False,
    )


def _expected(hits: pd.DataFrame, floor: float | None, qualifier: str, colours: Palette) -> list[Any]:
    """Expected range as a bar from low to high (not below `floor`), the anomaly as a red diamond."""
    unit = str(hits["unit"].iloc[0])
    low = hits["low"].where(hits["low"].abs() != math.inf, hits["expected"]).clip(lower=floor)
    high = hits["high"].where(hits["high"].abs() != math.inf, hits["expected"])
    columns = (hits[name] for name in ("value", "low", "high", "detector", "severity"))
    said = [
        f"<b>{words.quantity(value, unit, qualifier)}</b>, expected {words.between(lowest, highest, unit, qualifier)}"
        f"<br>{escaped(words.detector(detector))}, severity {words.severity(severity)}"
        for value, lowest, highest, detector, severity in zip(*columns, strict=True)
    ]
    band = go.Scatter(
        x=hits["event_time"],
        y=hits["expected"],
        mode="markers",
        name="Expected range",
        hoverinfo="skip",
        marker={"symbol": "line-ew-open", "size": 13, "color": colours.line, "line": {"width": 2}},
        showlegend=False,
        error_y={
            "array": high - hits["expected"],
            "arrayminus": hits["expected"] - low,
            "symmetric": False,
            "color": colours.band,
            "thickness": 9 if len(hits) <= FEW else 4,
            "width": 0,
        },
    )
    marks = go.Scatter(
        x=hits["event_time"],
        y=hits["value"],
        mode="markers",
        name="Anomaly",
        customdata=said,
        showlegend=False,
        marker={"symbol": "diamond", "size": 9, "color": colours.alarm, "line": {"width": 1, "color": colours.card}},
        hovertemplate="%{x|%d %b %H:%M:%S}<br>%{customdata}<extra></extra>",
    )
    return [band, marks]
