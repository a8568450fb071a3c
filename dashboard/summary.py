"""The figures at the head of the pages, from rows: pure, so that they can be tested without a page."""

from typing import Any

from dashboard import words
from dashboard.markup import Tile
from dashboard.words import escaped

Row = dict[str, Any]
ALIVE_S = 60.0
NO_EVENTS = (
    "<b>No events yet.</b> Start <code>conclave demo</code> to see bundled data, "
    "or <code>conclave ingest</code> and <code>conclave detect</code> for your own."
)
NOTHING = "<b>Nothing is confirmed and open.</b> New rulings appear here by themselves."
NO_COUNCIL = "no council worker is running: start conclave council"


def status(pulse: Row) -> str:
    """One line: how stream time stands to the clock, and when the page was read."""
    said = words.stream_time(pulse["newest_event"], pulse["now"])
    read = f"Read at {words.clock(pulse['now'])} {words.zone(pulse['now'])}"
    return f'<div class="cv-status"><span>{escaped(said)}</span><span class="cv-num">{read}</span></div>'


def confirmed(rows: list[Row]) -> str:
    """How many of the open confirmed cases are shown."""
    if not rows:
        return "confirmed cases that nobody has settled"
    shown, of_all = len(rows), rows[0]["of_all"]
    return f"{of_all} confirmed, to act on first" if shown == of_all else f"{shown} of {of_all} confirmed, to act on first"


def health(streams: list[Row], workers: list[Row], docket: list[Row], refusals: list[Row]) -> list[Tile]:
    """The figures of the health page: alive processes, quiet streams, refused records, given-up hearings."""
    alive = [worker for worker in workers if worker["silent_s"] <= ALIVE_S]
    silent = [worker["job"] for worker in workers if worker["silent_s"] > ALIVE_S]
    refused, dead = sum(row["records"] for row in refusals), sum(row["dead"] for row in docket)
    slowest = max((row["silent_s"] for row in streams), default=None)
    return [
        Tile(
            "Processes alive",
            words.count(len(alive)),
            f"silent: {', '.join(silent)}" if silent else "all that reported",
            hot=not alive,
        ),
        Tile(
            "Streams",
            words.count(len(streams)),
            f"last report {words.age(slowest)} ago" if slowest is not None else "none has reported",
        ),
        Tile("Refused records", words.count(refused), f"{len(refusals)} reasons" if refused else "none in quarantine"),
        Tile("Given-up hearings", words.count(dead), "dead letters of the docket", hot=dead > 0),
    ]


def tiles(pulse: Row, docket: list[Row], council: list[Row]) -> list[Tile]:
    return [rate(pulse), anomalies(pulse), cases(pulse), depth(docket), ruling(council)]


def rate(pulse: Row) -> Tile:
    if pulse["events_per_s"] is None:
        return Tile("Events per second", "Idle", f"last batch {words.instant(pulse['last_batch_at'])}")
    return Tile("Events per second", words.count(pulse["events_per_s"]), f"{words.count(pulse['events'])} scored in all")


def anomalies(pulse: Row) -> Tile:
    return Tile(
        "Anomalies, last stream hour", words.count(pulse["anomalies_hour"]), f"{words.count(pulse['anomalies'])} kept in all"
    )


def cases(pulse: Row) -> Tile:
    parts = [(pulse["confirmed"], "confirmed"), (pulse["unresolved"], "unresolved"), (pulse["unheard"], "not heard yet")]
    said = ", ".join(f"{words.count(number)} {word}" for number, word in parts)
    return Tile("Open cases", words.count(sum(number for number, _ in parts)), said, hot=pulse["confirmed"] > 0)


def depth(docket: list[Row]) -> Tile:
    lanes = [f"{row['lane']} {row['waiting'] + row['leased']}{_oldest(row)}" for row in docket if row["waiting"] + row["leased"]]
    dead = sum(row["dead"] for row in docket)
    said = "; ".join(lanes) or "nothing waits"
    total, filed = (sum(row["waiting"] + row["leased"] for row in docket), sum(row["filed"] for row in docket))
    said += (f"; {filed} filed for want of room" if filed else "") + (f"; {dead} given up" if dead else "")
    return Tile("Docket", words.count(total), said, hot=dead > 0)


def _oldest(row: Row) -> str:
    return "" if row["oldest_s"] is None else f", oldest {words.age(row['oldest_s'])}"


def ruling(council: list[Row]) -> Tile:
    if not council:
        return Tile("Council", "None", NO_COUNCIL, hot=True)
    said, why = words.council(council[0]["detail"])
    more = f" ({len(council)} workers)" if len(council) > 1 else ""
    return Tile("Council", said, why + more)


def known(entity: Row) -> list[tuple[str, str]]:
    """What is known of an entity, as name and value."""
    return [
        ("First event", words.instant(entity["first_seen"])),
        ("Newest metrics", words.instant(entity["last_bucket"])),
        ("Episodes", words.count(entity["episodes"])),
        ("Anomalies kept", words.count(entity["anomalies"])),
    ]


CONTEXT = {
    "n": ("Points in the window", ""),
    "mean": ("Mean", "own"),
    "std": ("Standard deviation", "own"),
    "median": ("Median", "own"),
    "mad": ("Median deviation", "own"),
    "rate_per_h": ("Events an hour", ""),
    "span_s": ("Burst lasted", "s"),
    "usual_span_s": ("As many usually take", "s"),
    "burst": ("Events in the burst", ""),
    "errors": ("Errors", ""),
    "baseline_n": ("Requests in the baseline", ""),
    "baseline_error_rate": ("Usual error rate", "error rate"),
    "baseline_p95_ms": ("Usual p95", "ms"),
    "p95_ms": ("p95 in this minute", "ms"),
    "buckets": ("Minutes in the baseline", ""),
}


def context(anomaly: Row, qualifier: str) -> list[tuple[str, str]]:
    """The window before an anomaly, in words; what the detector did not say is not shown."""
    own = "amount" if qualifier and anomaly["unit"] in ("amount", "events") else "value"
    pairs = []
    for key, (title, unit) in CONTEXT.items():
        value = anomaly["context"].get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            judged = "Requests judged" if key == "n" and anomaly["unit"] in ("ms", "error rate") else title
            pairs.append((judged, _said(value, own if unit == "own" else unit, qualifier)))
    recent = anomaly["context"].get("recent")
    if isinstance(recent, list) and recent:
        pairs.append(("Before it, newest last", ", ".join(words.quantity(value, own) for value in recent[-10:])))
    return pairs


def _said(value: float, unit: str, qualifier: str) -> str:
    if unit == "s":
        return words.age(value)
    return words.quantity(value, unit, qualifier) if unit else words.count(value)
