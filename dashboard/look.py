"""How the pages look: the style sheet, the colours of figures, and the frame around every figure."""

from pathlib import Path
from typing import NamedTuple

import plotly.graph_objects as go

SHEET = Path(__file__).with_name("look.css")
WORDMARK = Path(__file__).with_name("wordmark.svg")
MARK = "▼"
FONT = '"Source Sans", "Source Sans 3", system-ui, sans-serif'


class Palette(NamedTuple):
    """Colours of one scheme: what is usual, what is alarming, expected ranges, text and lines."""

    usual: str
    line: str
    alarm: str
    band: str
    ink: str
    soft: str
    grid: str
    card: str


LIGHT = Palette("#b9c0cd", "#4a5a86", "#c0272d", "rgba(43,74,203,.28)", "#1d1f23", "#5d626b", "#ececea", "#ffffff")
DARK = Palette("#4b515d", "#a3b2e0", "#ff6b6e", "rgba(157,177,255,.34)", "#e9eaec", "#a4a9b2", "#26292e", "#191b1f")


# Days and hours as they are said elsewhere on the pages; Plotly's own would add years and seconds.
STOPS = [
    {"dtickrange": [None, 60_000], "value": "%H:%M:%S"},
    {"dtickrange": [60_000, 86_400_000], "value": "%H:%M<br>%-d %b"},
    {"dtickrange": [86_400_000, None], "value": "%-d %b<br>%Y"},
]


def palette(scheme: str | None) -> Palette:
    return DARK if scheme == "dark" else LIGHT


def wordmark(scheme: str | None) -> str:
    """The name and its sign as SVG; its letters are outlines, for an image cannot use the page's font."""
    mark, ink = ("#8da4ff", DARK.ink) if scheme == "dark" else ("#2b4acb", LIGHT.ink)
    return WORDMARK.read_text(encoding="utf-8").replace("MARK", mark).replace("INK", ink)


def dress(figure: go.Figure, colours: Palette, height: int, top: int = 8) -> go.Figure:
    """Axes, margins and hover alike on every figure; `height` and `top` in pixels."""
    figure.update_xaxes(
        showgrid=False,
        linecolor=colours.grid,
        tickfont={"size": 12, "color": colours.soft},
        type="date",
        nticks=7,
        automargin=True,
        tickformatstops=STOPS,
    )
    figure.update_yaxes(
        gridcolor=colours.grid, zeroline=False, tickfont={"size": 11, "color": colours.soft}, side="right", automargin=True
    )
    return figure.update_layout(
        height=height,
        margin={"l": 4, "r": 4, "t": top, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": colours.ink, "size": 13, "family": FONT},
        showlegend=False,
        uirevision="kept",
        hovermode="closest",
        dragmode=False,
        hoverlabel={"bgcolor": colours.card, "bordercolor": colours.grid, "font": {"color": colours.ink, "family": FONT}},
    )
