"""From a reading to what there is to say: exhibits looked up, and lines about them (assistant/telling.py)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from assistant import lookups, telling
from assistant.exhibits import Exhibit, Line, exhibit, marked, period
from assistant.lookups import Asking, Subject
from assistant.reading import Reading
from assistant.times import DAYS, MONTHS, Span

MOST_SUBJECTS = 4


@dataclass
class Findings:
    """What was looked up, and what a colleague would say of it. Without lines the question is one for the runbook."""

    exhibits: list[Exhibit] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    quoted: bool = False  # the lines are the sources' own sentences
    times: list[str] = field(default_factory=list)  # how the spans were said, since their digits come from no exhibit

    def put(self, *found: Exhibit) -> list[Exhibit]:
        """Give exhibits their marks; the marked ones."""
        fresh = marked(found, len(self.exhibits) + 1)
        self.exhibits += fresh
        return fresh

    def said(self, span: Span | None, asking: Asking) -> str:
        self.times.append(said(span, asking))
        return self.times[-1]

    def one(self, found: Exhibit) -> Exhibit:
        return self.put(found)[0]


def find(asking: Asking, reading: Reading, question: str) -> Findings:
    """Look up what the reading asks for; nothing for a question about the runbook."""
    if reading.kind == "how":
        return Findings()
    found = Findings()
    subjects, missing = lookups.subjects(asking, reading)
    if missing and not subjects:
        _nobody(asking, found, missing)
        return found
    _TELL[reading.kind](asking, reading, subjects[:MOST_SUBJECTS], found, question)
    if missing and found.lines:
        found.lines += telling.unknown(missing, [], found.one(exhibit("entity", "entities", "known names")).mark)
    return found


def _nobody(asking: Asking, found: Findings, missing: Sequence[str]) -> None:
    near = lookups.near_names(asking, missing)
    mark = found.one(exhibit("entity", "entities", "known names", near=near)).mark
    found.lines += telling.unknown(missing, near, mark)


def _happened(asking: Asking, reading: Reading, of: Sequence[Subject], found: Findings, question: str) -> None:
    if reading.cases and not reading.spans:
        _of_cases(asking, reading, found)
    elif of:
        for one in of:
            _story(asking, one, reading.span, found)
    else:
        _everywhere(asking, reading, found)


def _story(asking: Asking, one: Subject, span: Span | None, found: Findings) -> None:
    """One subject in a span: what it did, what was flagged, what became of it."""
    active = span or lookups.last_day(asking, one)
    when = found.said(active, asking)
    did = found.put(*lookups.activity(asking, one, active)) if active else []
    before = found.put(*lookups.activity(asking, one, active.before())) if active and did else []
    by_source = {past.source_id: past for past in before}
    for now in did:
        past = by_source.get(now.source_id) or (found.one(_none_like(now)) if span else None)
        found.lines.append(telling.activity(now, when, past))
    stream = found.one(lookups.stream(asking, span, one))
    found.lines += telling.frontier(stream) if did else telling.silence(one.words, when, stream)
    _flags(asking, [one], span, found, one.words)


def _none_like(one: Exhibit) -> Exhibit:
    return exhibit("activity", one.source_id, one.title, kind=one.fields["kind"], count=0)


def _flags(asking: Asking, of: Sequence[Subject], span: Span | None, found: Findings, who: str) -> None:
    pairs, _ = lookups.episodes(asking, of=of, span=span)
    whole = found.one(lookups.counts(asking, of=of, span=span))
    shown = [(found.one(flag), found.one(ruling) if ruling else None) for flag, ruling in pairs[: telling.MOST_FLAGS]]
    found.lines += telling.flags(shown, whole, who, span is not None)


def _of_cases(asking: Asking, reading: Reading, found: Findings) -> None:
    pairs, _ = lookups.episodes(asking, cases=reading.cases)
    if not pairs:
        found.lines.append(Line("I know no such case.", (found.one(exhibit("entity", "cases", "known cases")).mark,)))
    for flag, ruling in pairs:
        found.lines.append(telling.flag(found.one(flag), alone=False))
        found.lines += telling.ruling(found.one(ruling)) if ruling else []


def _everywhere(asking: Asking, reading: Reading, found: Findings) -> None:
    """A span without a name: what was flagged in it, the worst first."""
    span = reading.span or lookups.newest_day(asking)
    if span is None:
        found.lines += telling.frontier(found.one(lookups.stream(asking, None)))
        return
    whole = found.one(lookups.counts(asking, span=span, kind=reading.of_kind, outcome=reading.outcome))
    found.lines += telling.counts(whole, "flags", "", found.said(span, asking))
    pairs, _ = lookups.episodes(asking, span=span, kind=reading.of_kind, outcome=reading.outcome)
    for flag, ruling in pairs[: telling.MOST_FLAGS]:
        found.lines.append(telling.flag(found.one(flag), alone=False))
        found.lines += telling.ruling(found.one(ruling))[:2] if ruling else []
    found.lines += telling.frontier(found.one(lookups.stream(asking, span)))


def _why(asking: Asking, reading: Reading, of: Sequence[Subject], found: Findings, question: str) -> None:
    pairs, _ = (
        lookups.episodes(asking, of=of, cases=reading.cases, span=reading.span, most=2) if of or reading.cases else ([], [])
    )
    if not pairs:
        if of:
            _story(asking, of[0], reading.span, found)
        return
    for flag, ruling in pairs[: 1 if reading.cases or len(of) < 2 else 2]:
        found.lines.append(telling.flag(found.one(flag), alone=False))
        if ruling is not None:
            told = found.one(ruling)
            found.lines += telling.ruling(told) + telling.reasons(told)


def _count(asking: Asking, reading: Reading, of: Sequence[Subject], found: Findings, question: str) -> None:
    span, when = reading.span, found.said(reading.span, asking)
    if reading.what in ("events", "errors", "amount") and of:
        for one in of:
            active = span or lookups.last_day(asking, one)
            did = found.put(*lookups.activity(asking, one, active)) if active else []
            found.lines += [telling.activity(each, found.said(active, asking)) for each in did]
            if not did:
                found.lines += telling.silence(one.words, when, found.one(lookups.stream(asking, span, one)))
        return
    if reading.what in ("events", "errors", "amount"):
        _totals(asking, reading, found)
        return
    whole = found.one(lookups.counts(asking, of=of, span=span, kind=reading.of_kind, outcome=reading.outcome))
    found.lines += telling.counts(whole, reading.what, " and ".join(one.words for one in of), when)
    if span is not None:
        found.lines += telling.frontier(found.one(lookups.stream(asking, span)))


def _totals(asking: Asking, reading: Reading, found: Findings) -> None:
    """How much there was of everything, or of a kind."""
    span = reading.span or lookups.newest_day(asking)
    rows = found.put(*lookups.totals(asking, span, reading)) if span else []
    found.lines += telling.totals(rows, found.said(span, asking))
    stream = found.one(lookups.stream(asking, span))
    if not rows:
        found.lines.append(Line(f"Nothing was recorded {found.said(span, asking)}.".replace(" .", "."), (stream.mark,)))
    found.lines += telling.frontier(stream) if reading.span or not rows else []


def _compare(asking: Asking, reading: Reading, of: Sequence[Subject], found: Findings, question: str) -> None:
    if not of:
        _compare_counts(asking, reading, found)
        return
    spans = reading.spans or ((last,) if (last := lookups.last_day(asking, of[0])) else ())
    if not spans:
        found.lines += telling.silence(of[0].words, "", found.one(lookups.stream(asking, None)))
        return
    first, second = (spans[0], spans[0]) if len(of) > 1 else lookups.aligned(spans, asking.now)
    left = found.put(*lookups.activity(asking, of[0], first))
    right = found.put(*lookups.activity(asking, of[min(1, len(of) - 1)], second))
    when = found.said(first, asking), found.said(second, asking)
    for one in left:
        other = next((two for two in right if two.source_id == one.source_id or len(of) > 1), None)
        if other is not None:
            found.lines += telling.compared(one, other, found.one(lookups.change(one, other)), when)
    if not left or not right:
        empty, at = (of[0], first) if not left else (of[min(1, len(of) - 1)], second)
        found.lines += telling.silence(empty.words, found.said(at, asking), found.one(lookups.stream(asking, at, empty)))
    flagged = [lookups.counts(asking, of=[who], span=at) for who, at in ((of[0], first), (of[min(1, len(of) - 1)], second))]
    names = when if len(of) == 1 else (of[0].words, of[1].words)
    left_count, right_count = found.put(*flagged)
    found.lines.append(telling.flagged_compared(left_count, right_count, names))


def _compare_counts(asking: Asking, reading: Reading, found: Findings) -> None:
    """Two times without a name: what was flagged in each."""
    span = reading.span or lookups.newest_day(asking)
    if span is None:
        found.lines += telling.frontier(found.one(lookups.stream(asking, None)))
        return
    for one in lookups.aligned(reading.spans or (span,), asking.now):
        whole = found.one(lookups.counts(asking, span=one, kind=reading.of_kind, outcome=reading.outcome))
        found.lines += telling.counts(whole, reading.what, "", found.said(one, asking))


def _top(asking: Asking, reading: Reading, of: Sequence[Subject], found: Findings, question: str) -> None:
    _ranking(asking, reading, found)


def _ranking(asking: Asking, reading: Reading, found: Findings) -> None:
    rows, by = lookups.top(asking, reading, reading.span)
    stream = lookups.stream(asking, reading.span)
    if rows:
        found.lines += telling.ranking(found.put(*rows), by, found.said(reading.span, asking))
    else:
        mark = found.one(exhibit("list", "ranking", "an empty list")).mark
        found.lines.append(
            Line(f"There is nothing to rank{f' {when}' if (when := found.said(reading.span, asking)) else ''}.", (mark,))
        )
    found.lines += telling.frontier(found.one(stream)) if reading.span or not rows else []


def _similar(asking: Asking, reading: Reading, of: Sequence[Subject], found: Findings, question: str) -> None:
    memories, case = lookups.alike(asking, reading.cases, of, question)
    if case is not None:
        flag, _ = lookups.episodes(asking, cases=[case["case_id"]], most=1)[0][0] if case["case_id"] else (None, None)
        found.lines += [telling.flag(found.one(flag), alone=False)] if flag else []
    found.lines += telling.likenesses(found.put(*memories))
    if not memories:
        mark = found.one(exhibit("memory", "memories", "remembered cases")).mark
        found.lines.append(Line("No ruled case is remembered that could be compared with it.", (mark,)))


def _waiting(asking: Asking, reading: Reading, of: Sequence[Subject], found: Findings, question: str) -> None:
    cases, whole = lookups.waiting(asking)
    counted = found.one(whole)
    found.lines += telling.waiting(found.put(*cases), counted)


def said(span: Span | None, asking: Asking) -> str:
    """A span as it is named in a sentence: the reader's words, then the times they were read as."""
    if span is None:
        return ""
    return f"{spoken(span.words)} ({period(span.since, span.until, asking.zone)})"


def spoken(words: str) -> str:
    """A phrase of time as it stands in a sentence.

    >>> spoken('the last 3 hours'), spoken('since monday'), spoken('4 march')
    ('in the last 3 hours', 'since Monday', 'on 4 March')
    """
    words = " ".join(word.capitalize() if word in (*DAYS, *MONTHS) else word for word in words.split())
    if re.match(r"the (last|past|previous) |(last|past) \d", words):
        return f"in {words.removeprefix('the ')}" if words.startswith("last") else f"in {words}"
    return f"on {words}" if re.match(r"\d{4}-|\d+(st|nd|rd|th)?\.? [A-Z]|[A-Z]\w+ \d", words) or words in _DAY_NAMES else words


_DAY_NAMES = frozenset(day.capitalize() for day in DAYS)


_TELL = {
    "happened": _happened,
    "why": _why,
    "count": _count,
    "compare": _compare,
    "top": _top,
    "similar": _similar,
    "waiting": _waiting,
}
