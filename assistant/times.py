"""Phrases of time in a question: `last night`, `yesterday`, `the last 3 hours`, `since Monday`, `between 10:00 and 12:00`.

Pure: the moment `now` and the reader's zone are arguments. Days begin at the reader's midnight, also where clocks change.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "couple of": 2, "three": 3, "few": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
           "eight": 8, "nine": 9, "ten": 10, "twelve": 12, "twenty-four": 24, "thirty": 30}  # fmt: skip
UNITS = {"min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600, "day": 86_400, "week": 604_800, "month": 30 * 86_400}
PARTS = {"night": (18, 30), "morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24)}  # hours from the day's midnight
MOST_UNITS = 100_000

_N = r"(?P<n>\d{1,6}|" + "|".join(sorted(NUMBERS, key=len, reverse=True)) + r")"
_UNIT = r"(?P<unit>min(?:ute)?s?|h|hrs?|hours?|days?|weeks?|months?)"
_DAY = "|".join(DAYS)
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]})?" if len(name) > 3 else name for name in MONTHS)


def _clock_pattern(tag: str) -> str:
    return rf"(?P<h{tag}>[01]?\d|2[0-4])(?:[:.](?P<m{tag}>[0-5]\d))?\s*(?P<p{tag}>[ap]\.?m\.?)?(?:\s*o'?clock)?"


def _date_pattern(tag: str) -> str:
    return (
        rf"(?:(?P<y{tag}>\d{{4}})-(?P<mo{tag}>\d\d)-(?P<d{tag}>\d\d)"
        rf"|(?P<da{tag}>\d{{1,2}})(?:st|nd|rd|th)?\.?\s+(?P<na{tag}>{_MONTH})\b\.?(?:,?\s+(?P<ya{tag}>\d{{4}}))?"
        rf"|(?P<nb{tag}>{_MONTH})\b\.?\s+(?P<db{tag}>\d{{1,2}})(?:st|nd|rd|th)?(?!\d|:)(?:,?\s+(?P<yb{tag}>\d{{4}}))?)"
    )


@dataclass(frozen=True)
class Span:
    """From `since` up to, not including, `until`, both UTC; `words` is the phrase it was read from."""

    since: datetime
    until: datetime
    words: str

    @property
    def seconds(self) -> float:
        return (self.until - self.since).total_seconds()

    def before(self) -> "Span":
        """The span of the same length that ends where this one begins."""
        return Span(self.since - (self.until - self.since), self.since, f"the same time before {self.words}")


class Clock:
    """The reader's clock: moments and days in their zone, as UTC."""

    def __init__(self, now: datetime, zone: ZoneInfo) -> None:
        self.now = now.astimezone(UTC)
        self.zone = zone
        self.today = now.astimezone(zone).date()

    def at(self, day: date, hours: float = 0.0) -> datetime:
        """That many hours by the wall clock after the day's midnight."""
        days, rest = divmod(round(hours * 60), 1440)
        wall = datetime.combine(day + timedelta(days=days), time(rest // 60, rest % 60), self.zone)
        return wall.astimezone(UTC)

    def day(self, day: date, days: int = 1) -> tuple[datetime, datetime]:
        return self.at(day), self.at(day + timedelta(days=days))

    def latest(self, hours: float) -> datetime:
        """The newest moment with this time of day that is not after now."""
        moment = self.at(self.today, hours)
        return moment if moment <= self.now else self.at(self.today - timedelta(days=1), hours)

    def weekday(self, name: str, *, last: bool = False) -> date:
        """The newest such day, today included; with `last`, today excluded."""
        back = (self.today.weekday() - DAYS.index(name)) % 7
        return self.today - timedelta(days=7 if back == 0 and last else back)


Ends = tuple[datetime, datetime]
Rule = tuple[re.Pattern[str], Callable[[re.Match[str], Clock], Ends | None]]


def spans(text: str, now: datetime, zone: ZoneInfo) -> list[Span]:
    """Every phrase of time in the text, in its order; what has begun ends now at the latest."""
    clock = Clock(now, zone)
    found: list[tuple[int, int, Span]] = []
    for pattern, read in _RULES:
        for match in pattern.finditer(text.casefold()):
            if any(match.start() < end and begin < match.end() for begin, end, _ in found):
                continue
            if span := _span(match, clock, read):
                found.append((match.start(), match.end(), span))
    return [span for _, _, span in sorted(found, key=lambda one: one[0])]


def span(text: str, now: datetime, zone: ZoneInfo) -> Span | None:
    """The first phrase of time in the text, or None."""
    return next(iter(spans(text, now, zone)), None)


def _span(match: re.Match[str], clock: Clock, read: Callable[[re.Match[str], Clock], Ends | None]) -> Span | None:
    try:
        ends = read(match, clock)
    except (ValueError, OverflowError):  # 31 February, the year 0
        return None
    if ends is None:
        return None
    since, until = ends
    until = min(until, clock.now) if since < clock.now else until
    return Span(since, until, " ".join(match[0].split())) if since < until else None


def _lasting(match: re.Match[str], clock: Clock) -> Ends | None:
    unit = match["unit"].rstrip("s") or match["unit"]
    number = NUMBERS.get(match["n"] or "one") or int(match["n"])
    seconds = number * UNITS[unit if unit in UNITS else "h"]
    return None if not 0 < number <= MOST_UNITS else (clock.now - timedelta(seconds=seconds), clock.now)


def _ago(match: re.Match[str], clock: Clock) -> Ends | None:
    """Around so long ago: half a unit to either side."""
    ends = _lasting(match, clock)
    half = timedelta(seconds=UNITS.get(match["unit"].rstrip("s"), 3600) / 2)
    return None if ends is None else (ends[0] - half, ends[0] + half)


def _part_of_day(match: re.Match[str], clock: Clock) -> Ends:
    day = clock.today - timedelta(days=match["day"].startswith("yesterday"))
    first, last = PARTS[match["part"]]
    return clock.at(day, first), clock.at(day, last)


def _last_night(match: re.Match[str], clock: Clock) -> Ends:
    """From six in the evening to six in the morning: the night that is, or the one that was."""
    evening = clock.today - timedelta(days=1)
    return clock.at(evening, 18), clock.at(clock.today, 6)


def _week(match: re.Match[str], clock: Clock) -> Ends:
    monday = clock.today - timedelta(days=clock.today.weekday())
    if match["which"] == "this":
        return clock.day(monday, 7)
    return clock.day(monday - timedelta(days=7), 7)


def _month(match: re.Match[str], clock: Clock) -> Ends:
    first = clock.today.replace(day=1)
    if match["which"] == "this":
        return clock.at(first), clock.at((first + timedelta(days=32)).replace(day=1))
    return clock.at((first - timedelta(days=1)).replace(day=1)), clock.at(first)


def _weekend(match: re.Match[str], clock: Clock) -> Ends:
    return clock.day(clock.weekday("saturday", last=clock.today.weekday() == 5 and "last" in match[0]), 2)


def _hours(match: re.Match[str], tag: str) -> float | None:
    """The time of day as hours; None when it is none."""
    hour, minute = int(match[f"h{tag}"]), int(match[f"m{tag}"] or 0)
    half = (match[f"p{tag}"] or "").replace(".", "")
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    elif match[f"m{tag}"] is None and "o'clock" not in match[0] and "oclock" not in match[0]:
        return None  # a bare number is not a time
    hours = hour + minute / 60
    return hours if hours <= 24 else None


def _date(match: re.Match[str], tag: str, clock: Clock) -> date:
    """A date; without a year the newest such day that is not ahead."""
    if match[f"y{tag}"]:
        return date(int(match[f"y{tag}"]), int(match[f"mo{tag}"]), int(match[f"d{tag}"]))
    letter = "a" if match[f"na{tag}"] else "b"
    month = next(i for i, name in enumerate(MONTHS, 1) if name.startswith(match[f"n{letter}{tag}"][:3]))
    day, year = int(match[f"d{letter}{tag}"]), match[f"y{letter}{tag}"]
    if year:
        return date(int(year), month, day)
    this = date(clock.today.year, month, day)
    return this if this <= clock.today else date(clock.today.year - 1, month, day)


def _named_day(match: re.Match[str], tag: str, clock: Clock) -> date | None:
    """The day named by `yesterday`, a weekday or a date; None when none is named."""
    name = match[f"w{tag}"]
    if name is None:
        return _date(match, tag, clock) if any(match[f"{part}{tag}"] for part in ("y", "da", "db")) else None
    if "yesterday" in name:
        return clock.today - timedelta(days=2 if "before" in name else 1)
    if name == "today":
        return clock.today
    return clock.weekday(name.split()[-1], last=name.startswith("last"))


def _day_pattern(tag: str) -> str:
    named = rf"(?P<w{tag}>(?:the\s+)?day\s+before\s+yesterday|yesterday|today|(?:last\s+)?(?:{_DAY}))"
    return rf"(?:{named}|{_date_pattern(tag)})"


def _between(match: re.Match[str], clock: Clock) -> Ends | None:
    first, last = _hours(match, "1"), _hours(match, "2")
    if last is None:
        return None
    first = float(match["h1"]) if first is None else first  # between 10 and 12:00
    day = _named_day(match, "3", clock)
    if day is None:
        day = clock.latest(first).astimezone(clock.zone).date()
    return clock.at(day, first), clock.at(day, last if last > first else last + 24)


def _days_between(match: re.Match[str], clock: Clock) -> Ends | None:
    first, last = _named_day(match, "1", clock), _named_day(match, "2", clock)
    return None if first is None or last is None else (clock.at(first), clock.at(last + timedelta(days=1)))


def _since(match: re.Match[str], clock: Clock) -> Ends | None:
    day = _named_day(match, "1", clock)
    hours = _hours(match, "2") if match["h2"] else None
    return None if day is None else (clock.at(day, hours or 0.0), clock.now)


def _since_clock(match: re.Match[str], clock: Clock) -> Ends | None:
    hours = _hours(match, "1")
    return None if hours is None else (clock.latest(hours), clock.now)


def _since_words(match: re.Match[str], clock: Clock) -> Ends:
    monday = clock.today - timedelta(days=clock.today.weekday())
    first = clock.today.replace(day=1)
    starts = {
        "midnight": clock.at(clock.today),
        "noon": clock.latest(12),
        "last night": clock.at(clock.today, -6),
        "this morning": clock.at(clock.today, 6),
        "last week": clock.at(monday - timedelta(days=7)),
        "last month": clock.at((first - timedelta(days=1)).replace(day=1)),
    }
    return starts[" ".join(match["what"].split())], clock.now


def _whole_day(match: re.Match[str], clock: Clock) -> Ends | None:
    day = _named_day(match, "1", clock)
    if day is None:
        return None
    hours = _hours(match, "2") if match["h2"] else None
    return clock.day(day) if hours is None else _around(clock.at(day, hours))


def _at(match: re.Match[str], clock: Clock) -> Ends | None:
    hours = _hours(match, "1")
    return None if hours is None else _around(clock.latest(hours))


def _around(moment: datetime) -> Ends:
    return moment - timedelta(minutes=30), moment + timedelta(minutes=30)


def _now(match: re.Match[str], clock: Clock) -> Ends:
    return clock.now - timedelta(hours=1), clock.now


def _rule(pattern: str, read: Callable[[re.Match[str], Clock], Ends | None]) -> Rule:
    return re.compile(rf"\b{pattern}(?!\w)"), read


_AT_TIME = rf"(?:,?\s+(?:at\s+|around\s+)?{_clock_pattern('2')})?"
_RULES: tuple[Rule, ...] = (  # the more telling first: what is taken is not read again
    _rule(rf"(?:between|from)\s+{_clock_pattern('1')}\s*(?:and|to|until|till|-)\s*{_clock_pattern('2')}(?:\s+(?:on\s+)?{_day_pattern('3')})?",
          _between),
    _rule(rf"(?:between|from)\s+{_day_pattern('1')}\s+(?:and|to|until|till)\s+{_day_pattern('2')}", _days_between),
    _rule(r"since\s+(?P<what>midnight|noon|last\s+night|this\s+morning|last\s+(?:week|month))", _since_words),
    _rule(rf"since\s+(?:{_day_pattern('1')}{_AT_TIME})", _since),
    _rule(rf"since\s+{_clock_pattern('1')}", _since_clock),
    _rule(r"(?:the\s+)?(?P<which>this|last|previous)\s+week", _week),
    _rule(r"(?:the\s+)?(?P<which>this|last|previous)\s+month", _month),
    _rule(rf"(?:the\s+)?(?:last|past|previous)\s+(?:{_N}\s+)?{_UNIT}", _lasting),
    _rule(rf"{_N}\s+{_UNIT}\s+ago", _ago),
    _rule(r"(?:last\s+night|overnight|during\s+the\s+night)", _last_night),
    _rule(r"(?P<day>yesterday|this)\s+(?P<part>morning|afternoon|evening|night)", _part_of_day),
    _rule(r"(?P<day>to)(?P<part>night)", _part_of_day),
    _rule(r"(?:this|last|at\s+the|over\s+the|on\s+the)\s+weekend", _weekend),
    _rule(rf"(?:on\s+)?{_day_pattern('1')}{_AT_TIME}", _whole_day),
    _rule(rf"(?:at|around|about)\s+{_clock_pattern('1')}", _at),
    _rule(r"(?:right\s+now|just\s+now|at\s+the\s+moment|currently)", _now),
)  # fmt: skip
