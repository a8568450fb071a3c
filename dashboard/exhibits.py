"""The evidence of a ruling: its citations, and the numbered items of the brief as they were offered."""

from typing import Any

from dashboard import words
from dashboard.words import escaped
from rag.items import Item, from_json, omissions, say

Row = dict[str, Any]
FIRST = ("value", "expected", "low", "high")
UNSAID = ("unit", "currency", "section_id", "steps", "cautions")


def section_link(section_id: str | None, text: str) -> str:
    return f'<a href="{words.link("runbook", section=section_id)}">{escaped(text)}</a>' if section_id else ""


def items(row: Row) -> list[Item]:
    """The brief's numbered items."""
    return list(from_json(row["brief"]).items)


def section_of(item: Item) -> str | None:
    found = item.fields.get("section_id")
    return None if found is None else str(found)


def heading(item: Item) -> str:
    """`runbook: Payments > Card testing > Checks` is `Card testing › Checks` here."""
    return " › ".join(item.title.removeprefix("runbook: ").split(" > ")[-2:])


def citations(row: Row, anchor: str) -> str:
    """What carried the ruling: a runbook citation opens its section, any other jumps to its evidence."""
    known = {item.id: item for item in items(row)}
    chips = "".join(_chip(str(cited), known.get(str(cited)), anchor) for cited in row["citations"] or [])
    return f"<section><h3>Cited</h3>{chips}</section>" if chips else ""


def _chip(cited: str, item: Item | None, anchor: str) -> str:
    if item is None:
        return f'<span class="cv-chip" title="Not in the brief">{escaped(cited)} ?</span>'
    section = section_of(item)
    href = words.link("runbook", section=section) if section else f"#{escaped(anchor)}-{escaped(cited)}"
    return f'<a class="cv-chip" href="{href}"><b>{escaped(cited)}</b> {escaped(heading(item), 90)}</a>'


def evidence(row: Row, anchor: str) -> str:
    """The brief as it was offered, folded away: e1, e2 … with their numbers."""
    offered = items(row)
    if not offered:
        return ""
    lines = "".join(_line(item, anchor) for item in offered)
    said = f"Evidence offered: {len(offered)} item" + ("" if len(offered) == 1 else "s")
    omitted = omissions(row["brief"].get("omitted") or {})
    more = f'<p class="cv-values">{escaped(omitted)}</p>' if omitted else ""
    return f'<details class="cv-evidence"><summary>{said}</summary><ul class="cv-items">{lines}</ul>{more}</details>'


def _ordered(item: Item) -> list[str]:
    """The fields worth showing, what was measured first; jsonb does not keep the order they were written in."""
    first = [name for name in FIRST if name in item.fields]
    return first + [name for name in item.fields if name not in FIRST and name not in UNSAID]


def _line(item: Item, anchor: str) -> str:
    opened = section_link(section_of(item), "Open the section")
    text = f"<div>{escaped(item.text, 900)}</div>" if item.text else ""
    numbers = " · ".join(f"{name.replace('_', ' ')} {say(item, name)}" for name in _ordered(item))
    shown = f'<div class="cv-values">{escaped(numbers, 900)}</div>' if numbers else ""
    return (
        f'<li id="{escaped(anchor)}-{escaped(item.id)}"><b>{escaped(item.id)}</b>'
        f"<div>{escaped(heading(item), 160)} {opened}{text}{shown}</div></li>"
    )
