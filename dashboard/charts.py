"""Figures of many entities as pure functions of frames. Anomalous buckets are red and carry a mark, so colour is never alone.

Entity names come from events and Plotly reads a little HTML, so every name goes through `words.escaped`.
"""

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard import words
from dashboard.look import FONT, MARK, Palette, dress
from dashboard.words import escaped

MEASURES = {
    "service": {"Events": ("count", "events"), "Error rate": ("error_rate", "error rate"), "Mean latency": ("mean", "ms")},
    "series": {"Mean value": ("mean", "value"), "Events": ("count", "events")},
}
MONEY = {"Events": ("count", "events"), "Mean amount": ("mean", "amount")}
ROW_PX = 78


def measures(kind: str) -> dict[str, tuple[str, str]]:
    """What can be drawn of a kind of entity: name → (column, unit)."""
    return MEASURES.get(kind, MONEY)


def described(frame: pd.DataFrame, kind: str, measure: str, span: str) -> str:
    """The overview in a sentence, for those who cannot see it."""
    entities, flagged = frame["entity"].nunique(), int((frame["anomalies"] > 0).sum())
    return f"{measure} of the {entities} busiest {kind.lower()} over {span}; {flagged} of {len(frame)} bars hold an anomaly"


def overview(frame: pd.DataFrame, measure: str, unit: str, colours: Palette) -> go.Figure:
    """One strip of bars per entity over a shared time axis, busiest first.

    `frame`: bucket (UTC), entity, count, error_rate, mean, anomalies; `measure` a column of it, in `unit`.
    """
    entities = list(frame.groupby("entity", sort=False)["count"].sum().sort_values(ascending=False, kind="stable").index)
    figure = make_subplots(
        rows=max(1, len(entities)), cols=1, shared_xaxes=True, vertical_spacing=0.02 if len(entities) > 1 else 0
    )
    width_ms = step_ms(frame)
    for row, entity in enumerate(entities, 1):
        mine = frame[frame["entity"] == entity]
        figure.add_trace(bars(mine, measure, unit, width_ms, colours), row=row, col=1)
        figure.add_annotation(_name(entity, mine, colours), row=row, col=1)
        top = mine[measure].max()
        figure.update_yaxes(range=[0, _headroom(top)], tickvals=[0 if math.isnan(top) else top], row=row, col=1)
        figure.update_yaxes(ticktext=[words.quantity(top, unit) if unit != "events" else words.count(top)], row=row, col=1)
    dress(figure, colours, height=ROW_PX * max(1, len(entities)) + 34)
    return figure.update_yaxes(showgrid=False, zeroline=True, zerolinecolor=colours.grid).update_layout(bargap=0.12)


def _name(entity: str, mine: pd.DataFrame, colours: Palette) -> dict[str, Any]:
    _, subject, qualifier = words.named(entity)
    flagged = int((mine["anomalies"] > 0).sum())
    said = f'<span style="color:{colours.alarm}">  {MARK} {flagged}</span>' if flagged else ""
    text = f"<b>{escaped(subject, 40)}</b> {escaped(qualifier, 30)}{said}"
    return {
        "text": text,
        "x": 0,
        "xref": "x domain",
        "xanchor": "left",
        "y": 1,
        "yref": "y domain",
        "yanchor": "top",
        "showarrow": False,
        "font": {"size": 12, "color": colours.ink},
        "bgcolor": colours.card,
        "opacity": 0.92,
    }


def bars(mine: pd.DataFrame, measure: str, unit: str, width_ms: float, colours: Palette) -> go.Bar:
    hit = mine["anomalies"] > 0
    values = mine[measure]
    return go.Bar(
        x=mine["bucket"],
        y=values,
        width=width_ms * 0.88,
        offset=0,
        showlegend=False,
        marker={"color": [colours.alarm if red else colours.usual for red in hit], "line": {"width": 0}},
        text=[MARK if red else "" for red in hit],
        textposition="outside",
        constraintext="none",
        textangle=0,
        cliponaxis=False,
        textfont={"size": 12, "family": FONT, "color": colours.alarm},
        customdata=[f"{words.quantity(value, unit)}, {_flags(n)}" for value, n in zip(values, mine["anomalies"], strict=True)],
        hovertemplate="%{x|%d %b %H:%M}<br>%{customdata}<extra></extra>",
    )


def _flags(number: float) -> str:
    return "no anomaly" if not number > 0 else f"{number:.0f} anomal" + ("y" if number == 1 else "ies")


def step_ms(frame: pd.DataFrame) -> float:
    """Milliseconds between neighbouring buckets: the smallest gap there is, a minute when there is only one bucket."""
    gaps = frame["bucket"].drop_duplicates().sort_values().diff().dropna()
    return float(gaps.min().total_seconds() * 1000) if len(gaps) else 60_000.0


def _headroom(top: float) -> float:
    return 1.0 if math.isnan(top) or top <= 0 else top * 1.5


def progress(frame: pd.DataFrame, colours: Palette) -> go.Figure:
    """Events of each committed batch, one colour and one mark per job. `frame`: committed_at, job, events, took_s."""
    figure = go.Figure()
    for job, colour, symbol in (("ingest", colours.soft, "circle"), ("detect", colours.line, "square")):
        mine = frame[frame["job"] == job].sort_values("committed_at")
        said = [
            f"{words.count(events)} events in {took:.2f} s" for events, took in zip(mine["events"], mine["took_s"], strict=True)
        ]
        figure.add_trace(
            go.Scatter(
                x=mine["committed_at"],
                y=mine["events"],
                mode="lines+markers",
                name=job.capitalize(),
                line={"color": colour, "width": 1.4},
                marker={"symbol": symbol, "size": 5},
                customdata=said,
                hovertemplate="%{x|%H:%M:%S}<br>%{customdata}<extra></extra>",
            )
        )
    dress(figure, colours, height=220)
    return figure.update_yaxes(rangemode="tozero", nticks=4).update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.16}
    )
