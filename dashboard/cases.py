"""Cases as people work on them, from rows: the inbox's lines, a case's head, its members. Everything in them is escaped."""

from datetime import datetime
from typing import Any

from dashboard import people, words
from dashboard.cards import entity
from dashboard.markup import Tile
from dashboard.words import escaped

Row = dict[str, Any]
STATUSES = {
    "open": ("● Open", "confirmed"),
    "acknowledged": ("◐ Acknowledged", "unresolved"),
    "investigating": ("◐ Investigating", "unresolved"),
    "resolved": ("✓ Resolved", "dismissed"),
    "dismissed": ("○ Dismissed", "quiet"),
}
CLOSED = ("resolved", "dismissed")


def tiles(counts: Row, waiting: Row) -> list[Tile]:
    """What needs somebody, what is late, what waits for a decision, and what is quiet and why."""
    needs = counts["open"] + counts["acknowledged"] + counts["investigating"]
    wakes = "nothing sleeps" if counts["next_wake_at"] is None else f"the first wakes {words.short(counts['next_wake_at'])}"
    kept = f"; dismissals keep {words.count(counts['recurrences'])} recurrences quiet" if counts["recurrences"] else ""
    unknown = f", {words.count(counts['loss_unknown'])} unknown" if counts["loss_unknown"] and needs else ""
    return [
        Tile("Need somebody", words.count(needs), f"{words.count(counts['unassigned'])} with nobody on them", hot=needs > 0),
        Tile("Overdue", words.count(counts["late"]), "past the time agreed for them", hot=counts["late"] > 0),
        Tile("Expected loss", words.count(counts["expected_loss"]), f"of those that need somebody{unknown}"),
        Tile("Commands to decide", words.count(waiting["proposals"]), "not carried out until approved"),
        Tile("Quiet", words.count(counts["snoozed"] + counts["held"]),
             f"{words.count(counts['snoozed'])} snoozed ({wakes}), {words.count(counts['held'])} held by maintenance{kept}"),
    ]  # fmt: skip


def elsewhere(waiting: Row) -> str:
    """What else waits for a person, as links; nothing when nothing does."""
    found = [
        (waiting["llm_alerts"], "traces?tab=Alerts", "alert on model calls", "alerts on model calls"),
        (waiting["undelivered"], "alerts?tab=Dead+letters", "message not delivered", "messages not delivered"),
        (waiting["sections_proposed"], "runbook?tab=Proposals", "runbook section to review", "runbook sections to review"),
    ]
    links = [
        f'<a href="{href}">{words.count(number)} {one if number == 1 else many}</a>'
        for number, href, one, many in found
        if number
    ]
    return f'<p class="cv-soft">Also waiting: {", ".join(links)}.</p>' if links else ""


def inbox(rows: list[Row], chosen: str) -> str:
    """The cases as lines that lead to them; the chosen one is marked, for the keyboard."""
    return f'<ul class="cv-list cv-inbox">{"".join(_line(row, row["case_id"] == chosen) for row in rows)}</ul>'


def _line(row: Row, chosen: bool) -> str:
    level, number = words.level(row["severity"]), words.severity(row["severity"])
    current = ' aria-current="true"' if chosen else ""
    return (
        f'<li{current}><a class="cv-case" href="{words.link("case", case=row["case_id"])}">'
        f'<span class="cv-score cv-{level}" title="Severity {number} of 100, {level}"><span class="cv-sr">Severity </span>'
        f'{number}</span><span class="cv-mid"><span class="cv-name">{entity(row["entity"])}</span> {tags(row)}'
        f'<span class="cv-cause">{escaped(row.get("root_cause") or row["title"], 400)}</span>'
        f'<span class="cv-values">{escaped(_facts(row))}</span></span>'
        f'<span class="cv-side"><b>{escaped(loss(row))}</b><br><span class="cv-num">{escaped(_age(row))}</span></span></a></li>'
    )


def tags(row: Row) -> str:
    """Status, and what makes the case late, quiet or someone's, as small signs."""
    said, style = STATUSES.get(row["status"], (row["status"], "quiet"))
    signs = [(said, style)]
    if late := overdue(row):
        signs.append((f"▲ {late}", "confirmed"))
    if row.get("proposals"):
        signs.append((f"{row['proposals']} command{'' if row['proposals'] == 1 else 's'} to decide", "unresolved"))
    if row["snoozed_until"] is not None and row["snoozed_until"] > row["now"]:
        signs.append((f"☾ until {words.short(row['snoozed_until'])}", "quiet"))
    if row["held_by"] is not None:
        signs.append(("Held by maintenance", "quiet"))
    signs += [(f"#{tag}", "quiet") for tag in row["tags"]]
    return " ".join(f'<span class="cv-tag cv-{style}">{escaped(text, 60)}</span>' for text, style in signs)


def overdue(row: Row) -> str:
    """What of the agreed times has passed, in words; empty when nothing has."""
    if row["status"] in CLOSED:
        return ""
    if _past(row["resolve_due_at"], row["now"]) or "resolve" in row["breached"]:
        return "overdue to resolve"
    unseen = row["status"] == "open" and _past(row["ack_due_at"], row["now"])
    return "overdue to acknowledge" if unseen or (row["status"] == "open" and "acknowledge" in row["breached"]) else ""


def _past(due: datetime | None, now: datetime) -> bool:
    return due is not None and due < now


def _facts(row: Row) -> str:
    """Whose it is, how much is in it, and when it is due."""
    who = f"with {people.called(row['assignee'])}"
    of = f"{row['members']} entities" if row["members"] > 1 else ""
    hits = f"{words.count(row['hits'])} hit{'' if row['hits'] == 1 else 's'}"
    return " · ".join(part for part in (who, row["pattern"], of, hits, due(row)) if part)


def due(row: Row) -> str:
    """The next time agreed for the case: `to be acknowledged in 12 min`."""
    if row["status"] in CLOSED:
        return f"closed {words.short(row['closed_at'])}"
    at, what = (
        (row["ack_due_at"], "acknowledge")
        if row["status"] == "open" and row["ack_due_at"]
        else (row["resolve_due_at"], "resolve")
    )
    if at is None or at < row["now"]:
        return ""
    return f"{words.age((at - row['now']).total_seconds())} left to {what}"


def _age(row: Row) -> str:
    return f"open for {words.age((row['now'] - row['opened_at']).total_seconds())}" if row["status"] not in CLOSED else ""


def loss(row: Row) -> str:
    """Expected loss with its currency; unknown is said."""
    if row["expected_loss"] is None:
        return "loss unknown"
    return words.quantity(row["expected_loss"], "amount", row["loss_currency"] or "")


def headline(row: Row) -> str:
    """What a case is about: whom it concerns, how it stands, and the council's finding in a sentence."""
    cause = escaped(row["root_cause"] or row["title"], 900)
    return (
        f'<h1 class="cv-title">{entity(row["entity"])}</h1><p class="cv-signs">{tags(row)} '
        f'<span class="cv-soft">{escaped(row["case_id"], 80)}, version {row["version"]}</span></p>'
        f'<p class="cv-finding">{cause}</p>'
    )


def facts(row: Row) -> list[tuple[str, str]]:
    """What stands at the head of a case, as name and value."""
    return [
        ("Expected loss", row["loss_words"] or loss(row)),
        ("With", people.called(row["assignee"])),
        ("Opened", words.instant(row["opened_at"])),
        ("Happened", f"{words.short(row['started_at'])} to {words.short(row['last_at'])}"),
        ("Due", overdue(row) or due(row) or "nothing"),
        ("In it", f"{row['members']} entit{'y' if row['members'] == 1 else 'ies'}, {words.count(row['hits'])} hits"),
    ]


def quiet(row: Row) -> str:
    """Why a case is not in the inbox though it is not closed, or what its closing said; HTML, empty when there is nothing."""
    if row["status"] in CLOSED:
        reason = (row["reason"] or "").replace("_", " ")
        until = f" Recurrences stay quiet until {words.instant(row['expires_at'])}." if row["expires_at"] else ""
        text = f": {row['reason_text']}" if row["reason_text"] else ""
        said = f"{STATUSES[row['status']][0]} by {people.called(row['closed_by'])} ({reason}){text}.{until}"
        kept = f" {row['recurrences']} kept quiet so far." if row["recurrences"] else ""
        return escaped(said + kept, 900)
    if row["snoozed_until"] is not None and row["snoozed_until"] > row["now"]:
        return escaped(_asleep(row, {**row, **(row["snooze"] or {})}), 600)
    return "Held quiet by a maintenance window." if row["held_by"] is not None else ""


def _asleep(row: Row, seen: Row) -> str:
    """Until when, by whom, and past what it wakes by itself; `seen`: as it was when it was snoozed."""
    grown = f"severity {words.severity(seen['severity'])}, {seen['hits']} hits, {seen['members']} entities"
    by, until = people.called(row["snoozed_by"]), words.instant(row["snoozed_until"])
    return f"Snoozed until {until} by {by}. It wakes by itself when it grows past what was seen then: {grown}."
