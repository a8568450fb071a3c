"""The council at a glance, from rows: outcomes, how its members vote, and who agrees with the outcome."""

from typing import Any

from dashboard import words
from dashboard.markup import Column, Tile, table

Row = dict[str, Any]
VOTES = ("confirm", "dismiss", "unsure")


def tiles(tally: list[Row]) -> list[Tile]:
    """Rulings by outcome, and how many a model spoke."""
    total = sum(row["rulings"] for row in tally)
    return [*(_outcome(tally, outcome, total) for outcome in words.OUTCOMES), _spoken(tally, total)]


def _outcome(tally: list[Row], outcome: str, total: int) -> Tile:
    number = sum(row["rulings"] for row in tally if row["outcome"] == outcome)
    return Tile(words.outcome(outcome), words.count(number), f"{_share(number, total)} of those in force")


def _spoken(tally: list[Row], total: int) -> Tile:
    number = sum(row["rulings"] for row in tally if row["council"] == "model")
    slowest = max((row["p95_ms"] for row in tally), default=None)
    return Tile("By a model", _share(number, total), f"the others by rules; p95 {words.quantity(slowest, 'ms')}")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else words.UNKNOWN


def members(rows: list[Row]) -> str:
    """Each member: votes for, against, unsure, none; how often the outcome was what it voted; vetoes."""
    roles = list(dict.fromkeys(row["role"] for row in rows))
    columns = [Column("Member", "tight"), *(Column(vote.capitalize(), "right") for vote in VOTES), Column("No opinion", "right"),
               Column("With the outcome", "right"), Column("Vetoes", "right")]  # fmt: skip
    return table("How the members vote", columns, [_member(role, [row for row in rows if row["role"] == role]) for role in roles])


def _member(role: str, rows: list[Row]) -> tuple[str, ...]:
    votes = {row["vote"]: row["votes"] for row in rows}
    total, decided = sum(votes.values()), sum(votes.get(vote, 0) for vote in ("confirm", "dismiss"))
    spoken = sum(votes.get(vote, 0) for vote in VOTES)
    return (
        words.role(str(role)),
        *(words.count(votes.get(vote, 0)) for vote in VOTES),
        words.count(total - spoken),
        _share(sum(row["with_outcome"] for row in rows), decided),
        words.count(sum(row["vetoes"] for row in rows)),
    )
