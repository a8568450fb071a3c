"""How times, amounts, detectors and outcomes are said; text from outside is neutralised here, and only here."""

import html
import math
import re
import unicodedata
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from urllib.parse import quote

from rag.names import DETECTORS
from trust.vault import hide

OUTCOMES = {"confirmed": "Confirmed", "dismissed": "Dismissed", "unresolved": "Unresolved"}
SYMBOLS = {"confirmed": "▲", "dismissed": "○", "unresolved": "◆"}
ACTIONS = {
    "block_account": "Block the account",
    "step_up_auth": "Ask for stronger authentication",
    "hold_terminal": "Hold the terminal",
    "open_incident": "Open an incident",
    "watch": "Watch",
    "none": "No action",
}
KINDS = {"account": "Account", "counterparty": "Counterparty", "service": "Service", "series": "Series"}
ROLES = {"analyst": "Analyst", "auditor": "Auditor", "strategist": "Strategist"}
UNKNOWN = "–"
ZONE: ContextVar[tzinfo] = ContextVar("zone", default=UTC)  # the reader's, set where a page begins


TOKEN = re.compile(r"\b(tok_[a-z2-7]{8})[a-z2-7]{18}\b")  # its beginning is enough to tell it from others


def visible(text: object, most: int = 500) -> str:
    """`text` without control and direction characters, sealed parts as such, tokens by their beginning, newlines as spaces, at
    most `most` characters.

    >>> visible("account:tok_6f5mvczn3u3dj3kxxxghhgqoq4/EUR")
    'account:tok_6f5mvczn…/EUR'
    """
    short = TOKEN.sub(r"\1…", hide(str(text))[: most * 4])
    plain = "".join(_seen(character) for character in short[: most * 2])
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _seen(character: str) -> str:
    if character in "\n\r\t":
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co") else character


def escaped(text: object, most: int = 500) -> str:
    """`text` as HTML that shows exactly what it says."""
    return html.escape(visible(text, most))


def plain(text: str, most: int) -> str:
    """Several lines as HTML that shows exactly what they say, for an element that keeps line breaks."""
    return "\n".join(escaped(line, most) for line in text[:most].splitlines())


def markdown(text: str) -> str:
    """Markdown of the operators' own runbook, with dollars kept from becoming formulas."""
    return text.replace("\\$", "$").replace("$", "\\$")


def link(page: str, **query: str) -> str:
    """Relative address of a page, ready for an HTML attribute."""
    return html.escape(f"{page}?" + "&".join(f"{key}={quote(value, safe='')}" for key, value in query.items()))


def zone(time: datetime) -> str:
    """The short name of the reader's time zone at `time`: `UTC`, `CEST`, `UTC+05:30`."""
    said = time.astimezone(ZONE.get()).tzname() or "UTC"
    return f"UTC{said}" if said[:1] in "+-" else said


def instant(time: datetime | None) -> str:
    """`4 Mar 2026, 14:02:11 UTC`, in the reader's zone."""
    return UNKNOWN if time is None else f"{day(time)}, {clock(time)} {zone(time)}"


def day(time: datetime | None) -> str:
    if time is None:
        return UNKNOWN
    there = time.astimezone(ZONE.get())
    return f"{there.day} {there:%b %Y}"


def clock(time: datetime | None) -> str:
    return UNKNOWN if time is None else f"{time.astimezone(ZONE.get()):%H:%M:%S}"


def short(time: datetime | None) -> str:
    """`4 Mar 14:02`, for a table's column of times in the reader's zone."""
    if time is None:
        return UNKNOWN
    there = time.astimezone(ZONE.get())
    return f"{there.day} {there:%b %H:%M}"


def age(seconds: float | None) -> str:
    """The two largest units of a duration: `12 s`, `3 min`, `2 h 5 min`, `12 days`."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 48:
        rest = minutes - hours * 60
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{days:,} days"


def stream_time(newest: datetime | None, now: datetime) -> str:
    """One sentence on how event time stands to the clock."""
    if newest is None:
        return "No event has been scored yet."
    behind = (now - newest).total_seconds()
    if behind < -60:
        return f"Stream time {instant(newest)}: {age(-behind)} ahead of the clock."
    if behind > 3600:
        return f"Stream time {instant(newest)}: replayed data, {age(behind)} behind the clock."
    return f"Stream time {instant(newest)}, {age(behind)} behind the clock."


def count(number: float | None) -> str:
    """Thousands apart; from ten thousand on with one decimal and k, M or G."""
    if number is None or not math.isfinite(number):
        return UNKNOWN
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if abs(number) >= size:
            return f"{number / (1e3 if unit == 'k' else size):,.1f} {unit}"
    return f"{number:,.0f}" if number >= 10 or float(number).is_integer() else f"{number:,.1f}"


def size(number: float | None) -> str:
    if number is None:
        return UNKNOWN
    for unit in ("B", "kB", "MB", "GB"):
        if abs(number) < 1000:
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def quantity(value: float | None, unit: str, qualifier: str = "") -> str:
    """A number with its unit as a person says it; `qualifier` is the currency of an amount."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "no limit" if value > 0 else "no lower limit"
    if unit == "amount":
        return f"{value:,.2f} {qualifier}".strip()
    if unit == "error rate":
        return f"{value * 100:,.1f} %"
    if unit == "ms":
        return f"{value / 1000:,.2f} s" if abs(value) >= 10_000 else f"{value:,.0f} ms"
    if unit == "events":
        said = f"{value:,.0f}" if value >= 10 or float(value).is_integer() else f"{value:,.1f}"
        return f"{said} event" + ("" if said == "1" else "s")
    return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"


def between(low: float | None, high: float | None, unit: str, qualifier: str = "") -> str:
    """An expected range; an open end is left out."""
    if low is None or math.isinf(low) or math.isnan(low):
        return f"at most {quantity(high, unit, qualifier)}"
    if high is None or math.isinf(high) or math.isnan(high):
        return f"at least {quantity(low, unit, qualifier)}"
    lowest, highest = quantity(low, unit, qualifier), quantity(high, unit, qualifier)
    number, _, measure = lowest.rpartition(" ")
    shared = measure and measure.removesuffix("s") == highest.rpartition(" ")[2].removesuffix("s")
    return f"{number if shared and number else lowest} to {highest}"


def detector(name: str) -> str:
    return DETECTORS.get(name, name.replace("_", " "))


def outcome(name: str) -> str:
    return OUTCOMES.get(name, name)


def action(name: str) -> str:
    return ACTIONS.get(name, name.replace("_", " ").capitalize())


def role(name: str) -> str:
    return ROLES.get(name, name.capitalize())


def named(entity: str) -> tuple[str, str, str]:
    """(kind in words, subject, qualifier) of an entity's name: `account:A12/EUR` is an Account, A12, EUR."""
    kind, _, rest = entity.partition(":")
    said = KINDS.get(kind, kind.capitalize())
    subject, slash, qualifier = rest.rpartition("/")
    return (said, subject, qualifier) if slash and kind != "service" else (said, rest, "")


def severity(value: float) -> str:
    """0 to 100, as the pages print it."""
    return f"{value * 100:.0f}"


def level(value: float) -> str:
    """A word for a severity, so that colour is never alone."""
    return "critical" if value >= 0.95 else "high" if value >= 0.85 else "medium" if value >= 0.6 else "low"


def council(detail: dict[str, object]) -> tuple[str, str]:
    """Who rules now, and why, from a council worker's own report."""
    which = str(detail.get("council", ""))
    why = str(detail.get("why") or "")
    if which == "model":
        return "Model", visible(why or detail.get("model") or "a language model answers", 160)
    if which == "rules":
        return "Rules", visible(why.split(" (")[0] or "the deterministic council rules", 160)
    return UNKNOWN, visible(why or "the council has not said which of its two ways it rules", 160)
