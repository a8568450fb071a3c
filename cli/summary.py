"""What a whole run of the demo came to, and whether all of it worked."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from store.database import Database


def figures(database: "Database", sent: int, labels: Path, seconds: float) -> dict[str, Any]:
    """All figures as plain values; latencies in seconds as [p50, p95], None where there was nothing."""
    from jobs.evaluation import evaluate
    from store.settings import settings
    from trust.vault import vault_of

    judged = evaluate(database, labels, vault=vault_of(settings()))
    jobs = {row["job"]: row for row in database.fetch("status_jobs")}
    latency = database.fetch("demo_latency")[0]
    return {
        "seconds": round(seconds, 1),
        "events": sent,
        **database.fetch("demo_progress")[0],
        "expected_quarantined": sum(json.loads(labels.read_text())["quarantined"].values()),
        "late": jobs.get("detect", {}).get("late", 0),
        "duplicates": jobs.get("detect", {}).get("duplicates", 0),
        "filed": database.fetch("status_counts")[0]["filed"],
        "detectors": {row["detector"]: row["anomalies"] for row in database.fetch("demo_anomalies")},
        **database.fetch("demo_episodes")[0],
        "rulings_by": [tuple(row.values()) for row in database.fetch("status_rulings")],
        "commands": [tuple(row.values()) for row in database.fetch("status_commands")],
        "to_anomaly_s": latency["to_anomaly"] and [float(value) for value in latency["to_anomaly"]],
        "to_ruling_s": latency["to_ruling"] and [float(value) for value in latency["to_ruling"]],
        "injected": judged.injected,
        "found": judged.found,
        "confirmed": judged.confirmed,
        "confirmed_cases": judged.confirmed_cases,
        "confirmed_not_injected": judged.confirmed_not_injected,
        "anomalies_not_injected": judged.anomalies_not_injected,
    }


def faults(found: dict[str, Any]) -> list[str]:
    """What did not work, a sentence each; empty after a good run."""
    held = found["bronze"] + found["quarantined"]
    said = [
        (held != found["events"], f"{found['events']:,} events were sent, {held:,} are in bronze or quarantine."),
        (found["scored"] != found["bronze"], f"{found['bronze']:,} events are in bronze, detect read {found['scored']:,}."),
        (
            found["quarantined"] != found["expected_quarantined"],
            f"{found['quarantined']:,} records were refused, {found['expected_quarantined']:,} should have been.",
        ),
        (found["anomalies"] == 0, "No anomaly was found."),
        (found["rulings"] == 0, "There is no ruling."),
        (found["open"] > 0, f"{found['open']:,} cases wait for a ruling."),
        (found["dead"] > 0, f"{found['dead']:,} cases could not be heard."),
    ]
    return [words for wrong, words in said if wrong]


def show(found: dict[str, Any]) -> None:
    """The summary as a table on stdout."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Conclave demo · {found['seconds']:.0f} s", title_justify="left", box=box.SIMPLE_HEAD, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, words in rows(found):
        table.add_row(name, words)
    Console().print(table)


def rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """The table's lines."""
    rulings = [
        f"{n:,} {outcome} by {'a model' if council == 'model' else council}" for outcome, council, n in found["rulings_by"]
    ]
    commands = [f"{n:,} {action} ({state})" for action, state, n in found["commands"]]
    detectors = [f"{n:,} {name}" for name, n in found["detectors"].items()]
    return [
        (
            "events",
            f"{found['events']:,} sent, {found['bronze']:,} in bronze, {found['late']:,} late, {found['duplicates']:,} twice",
        ),
        ("quarantined", f"{found['quarantined']:,} (the data set holds {found['expected_quarantined']:,} broken records)"),
        ("anomalies", f"{found['anomalies']:,}, of {found['hits']:,} hits in {found['episodes']:,} episodes"),
        ("… by detector", "\n".join(detectors) or "none"),
        ("cases", f"{found['cases']:,}, {found['filed']:,} of them filed without a council"),
        ("rulings", "\n".join(rulings) or "none"),
        ("commands", "\n".join(commands) or "none"),
        ("event to anomaly", latency(found["to_anomaly_s"])),
        ("event to ruling", latency(found["to_ruling_s"])),
        ("injected incidents", f"{found['injected']:,}: {found['found']:,} found, {found['confirmed']:,} confirmed"),
        ("confirmed cases", f"{found['confirmed_cases']:,}, {found['confirmed_not_injected']:,} of them not injected"),
        ("anomalies not injected", f"{found['anomalies_not_injected']:,}"),
    ]


def latency(quantiles: list[float] | None) -> str:
    """
    >>> latency([1.234, 5.0])
    'p50 1.2 s, p95 5.0 s'
    """
    return "nothing to measure" if quantiles is None else f"p50 {quantiles[0]:.1f} s, p95 {quantiles[1]:.1f} s"
