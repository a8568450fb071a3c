"""What is known about a case at one moment, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Section:
    """A runbook section as the council uses it."""

    section_id: str
    heading_path: tuple[str, ...]
    relevance: float
    steps: tuple[str, ...]
    cautions: tuple[str, ...]
    excerpt: str
    action: str = ""  # that the section's tags recommend


@dataclass(frozen=True)
class Facts:
    """Everything known about a case at one moment: rows as the queries of store/queries/brief.sql give them."""

    case: Row
    hits: tuple[Row, ...]
    history: tuple[Row, ...] = ()
    neighbours: tuple[Row, ...] = ()
    similar: tuple[Row, ...] = ()
    sections: tuple[Section, ...] = ()
    earlier_episodes: int | None = None  # of the same entity in the days before, ruled or filed
    edges: tuple[tuple[str, str], ...] = ()

    def having(self, **found: Any) -> "Facts":
        """The same facts with more found out."""
        return replace(self, **found)
