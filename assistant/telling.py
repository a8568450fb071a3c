"""Looked-up facts told the way a colleague would: one line a thought, numbers by reference. Pure."""

from collections.abc import Sequence

from assistant.exhibits import Exhibit, Line, entity_words
from rag.names import DETECTORS

MOST_FLAGS = 3
ACTIONS = {
    "block_account": "blocking the account", "step_up_auth": "asking for stronger authentication",
    "hold_terminal": "holding the terminal", "open_incident": "opening an incident", "watch": "watching it",
    "unblock_account": "unblocking the account",
}  # fmt: skip
STATES = {
    "proposed": "nobody has decided on it yet", "approved": "it has been approved", "rejected": "it was rejected",
    "executed": "it has been done", "failed": "it was tried and failed", "withdrawn": "it was withdrawn",
    "undone": "it was undone",
}  # fmt: skip
NOUNS = {"account": "payment", "counterparty": "payment", "service": "request", "series": "reading"}


def activity(one: Exhibit, when: str, before: Exhibit | None = None) -> Line:
    """What an entity did in a span, beside what it did in the span before."""
    noun, who = NOUNS[one.fields["kind"]], one.title
    text = f"{_capital(when)}, {who} had {one.some('count', noun)}{_measures(one)}."
    if before is not None and before.fields.get("count"):
        text += f" In the same time before, there {_were(before, 'count')} {before.ref('count')}{_short_measures(before)}."
    elif before is not None:
        text += " In the same time before, there was nothing."
    return Line(text, tuple(mark for mark in (before.mark if before else "",) if mark))


def _measures(one: Exhibit) -> str:
    kind = one.fields["kind"]
    if kind in ("account", "counterparty") and "total" in one.fields:
        largest = f", the largest {one.ref('max')}" if one.fields.get("count") != 1 and "max" in one.fields else ""
        return f", {one.ref('total')} together{largest}"
    if kind == "service":
        parts = [_errors(one)]
        parts += [f", answered in {one.ref('mean')} on average"] if "mean" in one.fields else []
        parts += [f" (95% within {one.ref('p95_ms')})"] if "p95_ms" in one.fields else []
        return "".join(parts)
    return f", {one.ref('mean')} on average, from {one.ref('min')} to {one.ref('max')}" if "mean" in one.fields else ""


def _short_measures(one: Exhibit) -> str:
    kind = one.fields["kind"]
    if kind in ("account", "counterparty") and "total" in one.fields:
        return f", {one.ref('total')} together"
    if kind == "service" and "error_rate" in one.fields:
        return _errors(one)
    return f", {one.ref('mean')} on average" if "mean" in one.fields else ""


def _errors(one: Exhibit) -> str:
    if "error_rate" not in one.fields:
        return ""
    return ", none of them an error" if one.fields["error_rate"] == 0 else f", {one.ref('error_rate')} of them errors"


def silence(who: str, when: str, stream: Exhibit) -> list[Line]:
    """Nothing was recorded: said with how far the stream has come, so that silence is not taken for peace."""
    lines = [Line(f"Nothing was recorded of {who} {when}.", (stream.mark,))]
    if "last_seen_at" in stream.fields:
        lines.append(Line(f"Its newest activity is of {stream.ref('last_seen_at')}."))
    return [*lines, *frontier(stream)]


def frontier(stream: Exhibit) -> list[Line]:
    """When the stream has not come as far as the span asked for."""
    if "newest_at" not in stream.fields:
        return [Line("No event has been scored yet at all.", (stream.mark,))]
    if stream.fields.get("behind") == "yes":
        return [
            Line(f"Mind that the newest event in the stream is of {stream.ref('newest_at')}, so later times are still empty.")
        ]
    return []


def flags(found: Sequence[tuple[Exhibit, Exhibit | None]], whole: Exhibit, who: str, timed: bool) -> list[Line]:
    """How often it was flagged, and the worst of it with what the council made of it."""
    if not found:
        return [Line(f"Nothing of {who} was flagged{' in that time' if timed else ''}.", (whole.mark,))]
    lines: list[Line] = []
    if whole.fields.get("episodes", 0) > 1:
        lines.append(
            Line(f"{_capital(who)} was flagged {whole.some('episodes', 'time')}, with {whole.some('hits', 'hit')} in all.")
        )
    for one, heard in found:
        lines += [flag(one, alone=len(found) == 1), *(ruling(heard) if heard else [])]
    if (rest := whole.fields.get("episodes", 0) - len(found)) > 0:
        lines.append(Line("The others were milder." if rest > 1 else "The other one was milder.", (whole.mark,)))
    return lines


def flag(one: Exhibit, *, alone: bool = True) -> Line:
    """One flagged episode: when, for what, how far from the usual."""
    start = (
        f"It was flagged at {one.ref('started_at')}" if alone else f"{_capital(one.title)} was flagged at {one.ref('started_at')}"
    )
    text = f"{start} for {_for_what(one)}"
    if one.fields.get("hits", 1) > 1:
        text += f" ({one.some('hits', 'hit')} until {one.ref('last_at')})"
    if "value" in one.fields and "expected" in one.fields:
        text += f": {one.ref('value')} where {one.ref('expected')} was to be expected"
        text += f" and up to {one.ref('high')} would have passed" if "high" in one.fields else ""
    return Line(f"{text}, severity {one.ref('severity')}.")


def _for_what(one: Exhibit) -> str:
    names = [DETECTORS.get(str(name), str(name)).lower() for name in one.fields.get("detectors", [])]
    return " and ".join(names) if len(names) < 3 else ", ".join(names[:-1]) + f" and {names[-1]}"


def ruling(one: Exhibit) -> list[Line]:
    """What the council said of a case, what is proposed, and how the case stands."""
    outcome = one.fields.get("outcome")
    if outcome is None:
        return [Line("The council has not heard this case yet.", (one.mark,))]
    sure = f" with a confidence of {one.ref('confidence')}"
    verb = {"confirmed": f"confirmed it{sure}", "dismissed": f"dismissed it{sure}", "unresolved": "could not decide"}[
        str(outcome)
    ]
    lines = [Line(f"The council {verb}: {one.text}", (one.mark,))]
    if (action := str(one.fields.get("command", ""))) in ACTIONS:
        state = STATES.get(str(one.fields.get("command_state")), "")
        lines.append(Line(f"It proposed {ACTIONS[action]}{f'; {state}' if state else ''}.", (one.mark,)))
    if "next_steps" in one.fields and outcome != "dismissed":
        lines.append(Line(f"Next steps: {one.ref('next_steps')}."))
    if (status := str(one.fields.get("status", ""))) and status != "open":
        lines.append(Line(f"On the desk the case is {status}{_assignee(one)}.", (one.mark,)))
    elif status == "open" and outcome != "dismissed":
        lines.append(Line("On the desk the case is open and waits for somebody.", (one.mark,)))
    return lines


def _assignee(one: Exhibit) -> str:
    return f", with {one.ref('assignee')}" if one.fields.get("assignee") else ""


def reasons(one: Exhibit) -> list[Line]:
    """Why: the flag, the ruling, and what each member of the council said."""
    lines = [Line(f"{_capital(role)}: {words}", (one.mark,)) for role, words in _opinions(one)]
    return lines[:3]


def _opinions(one: Exhibit) -> list[tuple[str, str]]:
    return [
        (role, str(one.fields[f"{role}_said"])) for role in ("analyst", "auditor", "strategist") if one.fields.get(f"{role}_said")
    ]


def counts(one: Exhibit, what: str, who: str, when: str) -> list[Line]:
    """The number asked for, then what belongs to it."""
    place = f"{f' of {who}' if who else ''}{f' {when}' if when else ''}"
    outcome = str(one.fields.get("asked_outcome", ""))
    if what == "commands":
        open_and_done = f"{one.ref('proposed')} still to be decided, {one.ref('executed')} done"
        return [Line(f"{one.some('commands', 'command')} came of what was flagged{place}: {open_and_done}.")]
    if what == "cases" and outcome:
        were = "was" if one.fields.get(outcome) == 1 else "were"
        return [Line(f"There {were} {one.some(outcome, f'{outcome} case')}{place}, with {one.some('hits', 'hit')} in all.")]
    if what == "cases":
        return [Line(f"{one.some('cases', 'case')} came before the council{place}: {_outcomes(one)}."), *_filed(one)]
    if not one.fields.get("episodes"):
        return [Line(f"Nothing{place} was flagged.", (one.mark,))]
    were = "was" if one.fields.get("episodes") == 1 else "were"
    lines = [Line(f"{one.some('episodes', 'episode')} with {one.some('hits', 'hit')} {were} flagged{place}.")]
    if one.fields.get("episodes"):
        across = "" if who else f" They concern {one.some('entities', 'entity', 'entities')}."
        lines.append(Line(f"Of their cases the council has {_outcomes(one)}.{across}"))
    return lines


def _outcomes(one: Exhibit) -> str:
    parts = [f"confirmed {one.ref('confirmed')}", f"dismissed {one.ref('dismissed')}", f"left {one.ref('unresolved')} unresolved"]
    heard = ", ".join(parts)
    return f"{heard}, and {one.ref('unheard')} {'is' if one.fields.get('unheard') == 1 else 'are'} not heard yet"


def _filed(one: Exhibit) -> list[Line]:
    filed = one.fields.get("filed", 0)
    return [Line(f"{one.some('filed', 'milder episode')} {'was' if filed == 1 else 'were'} filed unheard.")] if filed else []


def totals(found: Sequence[Exhibit], when: str) -> list[Line]:
    """How much happened in all, a line for each kind of event."""
    lines = []
    for one in found:
        worth = f", {one.ref('total')} together" if "total" in one.fields else ""
        across = f" of {one.some('entities', {'counterparty': 'counterparty'}.get(one.fields['kind'], one.fields['kind']))}"
        lines.append(Line(f"{_capital(when)}: {one.some('count', NOUNS[one.fields['kind']])}{across}{worth}{_errors(one)}."))
    return lines


def compared(left: Exhibit, right: Exhibit, change: Exhibit, when: tuple[str, str]) -> list[Line]:
    """Two activities side by side."""
    noun = NOUNS[left.fields["kind"]]
    names = when if left.title == right.title else (f"{left.title} {when[0]}", f"{right.title} {when[1]}")
    head = f"{left.title}: " if left.title == right.title else ""
    first = f"{left.some('count', noun)} {names[0]} against {right.ref('count')} {names[1]}"
    text = _capital(f"{head}{first}") + (f" ({change.ref('change')})." if "change" in change.fields else ".")
    lines = [Line(text, (change.mark,))]
    for name, word in (("total", "Together"), ("error_rate", "Share of errors"), ("mean", "On average"), ("max", "The largest")):
        if name in left.fields and name in right.fields:
            lines.append(Line(f"{word}: {left.ref(name)} against {right.ref(name)}."))
    return lines


def flagged_compared(left: Exhibit, right: Exhibit, when: tuple[str, str]) -> Line:
    return Line(f"Flagged: {left.some('episodes', 'time')} {when[0]}, {right.some('episodes', 'time')} {when[1]}.")


def ranking(found: Sequence[Exhibit], by: str, when: str) -> list[Line]:
    """A list, best first, a line each."""
    words = {"hits": "Most flagged", "severity": "Worst", "cases": "Most cases", "errors": "Most errors", "slow": "Slowest",
             "events": "Busiest", "amount": "Largest sums"}  # fmt: skip
    lines = [Line(f"{words[by]}{f' {when}' if when else ''}:", tuple(one.mark for one in found))]
    for place, one in enumerate(found, 1):
        lines.append(Line(f"{place}. {one.title}: {_ranked(one, by)}"))
    return lines


def _ranked(one: Exhibit, by: str) -> str:
    if by in ("hits", "severity", "cases"):
        confirmed = f", {one.ref('confirmed')} confirmed" if one.fields.get("confirmed") else ""
        return (
            f"{one.some('hits', 'hit')} in {one.some('episodes', 'episode')}{confirmed}, severity {one.ref('severity')} at worst."
        )
    if by in ("errors", "slow"):
        share = f"{one.some('errors', 'error')} in {one.some('count', 'request')} ({one.ref('error_rate')})"
        return f"{share}, {one.ref('mean')} on average."
    if one.fields["kind"] == "service":
        return f"{one.some('count', 'request')}, {one.ref('error_rate')} of them errors."
    return f"{one.some('count', 'payment')}, {one.ref('total')} together."


def likenesses(found: Sequence[Exhibit]) -> list[Line]:
    """Past cases like the one asked about."""
    if not found:
        return []
    lines = [Line("It looks most like:", tuple(one.mark for one in found))]
    return lines + [
        Line(f"{one.title}, {one.ref('happened_at')}, {one.ref('outcome')}: {one.text}", (one.mark,)) for one in found
    ]


def waiting(found: Sequence[Exhibit], whole: Exhibit) -> list[Line]:
    """The inbox in words, what is at stake first."""
    if not found:
        return [Line("Nothing waits for you: no case is open.", (whole.mark,))]
    count = whole.fields.get("open", 0)
    lines = [Line(f"{whole.some('open', 'case')} {'is' if count == 1 else 'are'} open; what is at stake comes first.")]
    for one in found:
        loss = f", {one.ref('total')} at stake" if "total" in one.fields else ""
        todo = f"; {one.some('proposed', 'proposal')} to decide" if one.fields.get("proposed") else ""
        lines.append(
            Line(
                f"{_capital(one.title)}, {one.ref('status')}, severity {one.ref('severity')}{loss}{todo}: {one.text}", (one.mark,)
            )
        )
    return lines


def unknown(names: Sequence[str], near: Sequence[str], mark: str) -> list[Line]:
    """A name that nothing bears."""
    listed = ", ".join(names)
    lines = [Line(f"I know no account, counterparty, service or series called {listed}.", (mark,))]
    if near:
        lines.append(Line(f"Names that begin alike: {', '.join(entity_words(one) for one in near)}.", (mark,)))
    return lines


def _were(one: Exhibit, name: str) -> str:
    return "was" if one.fields.get(name) == 1 else "were"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
