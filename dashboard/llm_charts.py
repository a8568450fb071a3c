"""Figures of model calls as pure functions: a trend with its interval, one trace's waterfall."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import plotly.graph_objects as go

from dashboard import words
from dashboard.llm import said
from dashboard.look import FONT, Palette, dress
from dashboard.words import escaped
from observe.measure import METRICS
from observe.reports import Point

Row = dict[str, Any]
STEP_PX = 30
KINDS = {"llm": "model", "retriever": "search", "tool": "tool", "chain": "step", "agent": "agent", "embedding": "embedding"}


def trend(points: Sequence[Point], metric: str, colours: Palette, within: tuple[datetime, datetime]) -> go.Figure:
    """One metric over the time `within`; the band is its 95 % interval, a gap is a time of which nothing is known."""
    unit, zone = METRICS[metric].unit, words.ZONE.get()
    at = [point.at.astimezone(zone).replace(tzinfo=None) for point in points]
    first, last = (edge.astimezone(zone).replace(tzinfo=None) for edge in within)
    found = [point.measured[metric].estimate for point in points]
    figure = go.Figure()
    if any(one.low is not None for one in found):
        for edge, fill in (("high", None), ("low", "tonexty")):
            figure.add_trace(
                go.Scatter(
                    x=at,
                    y=[getattr(one, edge) for one in found],
                    mode="lines",
                    line={"width": 0},
                    fill=fill,
                    fillcolor=colours.band,
                    hoverinfo="skip",
                    showlegend=False,
                )
            )
    spoken = [f"{said(one.value, unit)}, {words.count(point.traces)} traces" for one, point in zip(found, points, strict=True)]
    figure.add_trace(
        go.Scatter(
            x=at,
            y=[one.value for one in found],
            mode="lines+markers",
            connectgaps=False,
            customdata=spoken,
            line={"color": colours.line, "width": 1.6},
            marker={"size": 6, "color": colours.line},
            hovertemplate="%{x|%d %b %H:%M}<br>%{customdata}<extra></extra>",
            showlegend=False,
        )
    )
    dress(figure, colours, height=240)
    figure.update_xaxes(range=[first, last])
    return figure.update_yaxes(rangemode="tozero", nticks=5, tickformat=".0%" if unit == "share" else None)


def waterfall(spans: Sequence[Row], colours: Palette) -> go.Figure:
    """The steps of one trace in reading order: when each began and how long it took; red ones failed, open ones have no end."""
    names = [f"{'  ' * span['depth']}{escaped(span['name'], 60)}" for span in spans]
    places = list(range(len(spans)))
    took = [span["latency_ms"] or 0 for span in spans]
    longest = max((span["offset_ms"] + length for span, length in zip(spans, took, strict=True)), default=1) or 1
    figure = go.Figure(
        go.Bar(
            orientation="h",
            y=places,
            x=[max(length, longest * 0.004) for length in took],
            base=[span["offset_ms"] for span in spans],
            marker={"color": [colours.alarm if span["status"] == "error" else colours.line for span in spans]},
            text=[_length(span) for span in spans],
            textposition="outside",
            cliponaxis=False,
            customdata=[_told(span) for span in spans],
            hovertemplate="%{customdata}<extra></extra>",
            textfont={"color": colours.soft, "size": 12, "family": FONT},
        )
    )
    dress(figure, colours, height=STEP_PX * max(2, len(spans)) + 50)
    figure.update_xaxes(
        type="linear", ticksuffix=" ms", range=[0, longest * 1.15], tickformatstops=[], showgrid=True, gridcolor=colours.grid
    )
    return figure.update_yaxes(
        side="left",
        tickvals=places,
        ticktext=names,
        autorange="reversed",
        showgrid=False,
        tickfont={"color": colours.ink, "size": 12},
    )


def _length(span: Row) -> str:
    return ("✕ " if span["status"] == "error" else "") + words.quantity(span["latency_ms"], "ms")


def _told(span: Row) -> str:
    tokens = (
        ""
        if span["tokens_in"] is None
        else f"<br>{words.count(span['tokens_in'])} tokens in, {words.count(span['tokens_out'])} out"
    )
    model = f"<br>{escaped(span['model'], 80)}" if span["model"] else ""
    fault = f"<br>{escaped(span['error'], 200)}" if span["error"] else ""
    return f"<b>{escaped(span['name'], 80)}</b> ({KINDS.get(span['kind'], span['kind'])}), {_length(span)}{model}{tokens}{fault}"
