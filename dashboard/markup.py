"""Pieces of a page as HTML. What they are given is text and is escaped; only names ending in `_html` are taken as they are."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dashboard.words import escaped


class Tile(NamedTuple):
    """A figure at the head of a page; `hot` marks what asks for attention."""

    label: str
    value: str
    said: str = ""
    hot: bool = False


class Column(NamedTuple):
    """A table's column: `right` for numbers, `tight` for what must not wrap, `wide` for text, `code` for quoted text."""

    title: str
    style: str = ""


class Html(str):
    """Text that is already HTML."""


def strip(tiles: Sequence[Tile], label: str) -> str:
    """Figures side by side, two by two on a narrow screen."""
    cells = "".join(
        f'<div class="cv-tile{" cv-hot" if tile.hot else ""}"><dt>{escaped(tile.label)}</dt>'
        f'<dd class="cv-big">{escaped(tile.value)}</dd><dd class="cv-sub">{escaped(tile.said)}</dd></div>'
        for tile in tiles
    )
    return f'<dl class="cv-strip" style="--n:{len(tiles)}" aria-label="{escaped(label)}">{cells}</dl>'


def head(text: str, said: str = "") -> str:
    small = f" <small>{escaped(said)}</small>" if said else ""
    return f'<h2 class="cv-head">{escaped(text)}{small}</h2>'


def title(text: str, said: str = "") -> str:
    below = f'<p class="cv-soft">{escaped(said)}</p>' if said else ""
    return f'<h1 class="cv-title">{escaped(text)}</h1>{below}'


def note(text_html: str, fault: bool = False) -> str:
    """One sentence instead of content: what is missing and what to do."""
    style, role = ("cv-note cv-fault", "alert") if fault else ("cv-note", "status")
    return f'<div class="{style}" role="{role}">{text_html}</div>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Short names with their values, in as many columns as fit."""
    cells = "".join(f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="cv-facts">{cells}</dl>'


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> str:
    """A table with a caption for screen readers, in a box that scrolls sideways and can be reached by keyboard."""
    header = "".join(f'<th scope="col"{_style(column)}>{escaped(column.title)}</th>' for column in columns)
    body = "".join(
        "<tr>" + "".join(_cell(column, value) for column, value in zip(columns, row, strict=True)) + "</tr>" for row in rows
    )
    said = escaped(caption)
    return (
        f'<div class="cv-scroll" role="region" tabindex="0" aria-label="{said}"><table class="cv-table">'
        f"<caption>{said}</caption><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _style(column: Column) -> str:
    style = "wide" if column.style == "code" else column.style
    return f' class="cv-{style}"' if style else ""


def _cell(column: Column, value: str) -> str:
    inner = value if isinstance(value, Html) else escaped(value)
    return f"<td{_style(column)}>{f'<code>{inner}</code>' if column.style == 'code' else inner}</td>"
