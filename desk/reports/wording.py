"""Values as they stand in a report: neutral, masked, with units; what is unknown is said."""

from datetime import UTC, datetime
from typing import Any

from rag import quoting
from trust import pii

UNKNOWN = "not known"
MARKDOWN = str.maketrans({sign: f"\\{sign}" for sign in "*_~!"})


def said(text: object, cap: int = 400) -> str:
    """Text from outside: personal data masked, markup without effect, at most `cap` characters.

    >>> said("**pay** ann@example.org | <b>now</b>")
    '\\\\*\\\\*pay\\\\*\\\\* (email) ¦ ‹b›now‹/b›'
    """
    return quoting.plain(pii.mask(str(text)), cap).translate(MARKDOWN)


def when(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at is not None else UNKNOWN


def amount(value: float | None, currency: str | None) -> str:
    """Money with its currency.

    >>> amount(1234.5, "EUR"), amount(None, "EUR")
    ('1,234.50 EUR', 'not known')
    """
    return UNKNOWN if value is None else f"{value:,.2f} {said(currency or '', 8)}".strip()


def measured(row: dict[str, Any], name: str) -> str:
    """A number of an anomaly in its unit."""
    value, unit = row[name], row["unit"]
    if unit == "amount":
        return amount(value, row["currency"])
    return f"{value:.1%}" if unit == "error rate" else f"{value:,.4g} {'' if unit == 'value' else unit}".strip()


def share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.0%}"


def words(code: str | None) -> str:
    return said((code or UNKNOWN).replace("_", " "))


def table(headings: list[str], rows: list[list[str]]) -> list[str]:
    """A Markdown table; cells are already neutral."""
    return ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings), *("| " + " | ".join(row) + " |" for row in rows)]
