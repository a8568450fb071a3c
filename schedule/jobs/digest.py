"""What happened since yesterday, what waits for people, what it cost; published to everyone subscribed to digests."""

from datetime import timedelta
from typing import Any

from schedule.registry import Context, Result
from store.outbox import Message, publish

ACCEPTS = ("hours",)
MOST = 10


def mark(context: Context) -> str:
    return "seen " + str(context.database.fetch("nightly_mark", tenant=context.tenant)[0]["mark"])


def run(context: Context) -> Result:
    until, span = context.now, timedelta(hours=float(context.arguments.get("hours", 24)))
    result = compose(context, {"since": until - span, "until": until})
    with context.database.connection() as connection:
        publish(connection, message(context, result))
    return result


def message(context: Context, result: Result) -> Message:
    """What everyone subscribed to digests is told."""
    day = f"digest {context.now:%Y-%m-%d}"
    return Message(
        tenant=context.tenant, topic="schedule", kind="digest", subject=day, severity=0.0, title=result["title"],
        dedupe_key=f"digest {context.now.isoformat()}", payload={"text": result["text"]},
    )  # fmt: skip


def compose(context: Context, spans: dict[str, Any]) -> Result:
    """The digest of a span as Markdown; nothing is written."""
    fetch, tenant = context.database.fetch, context.tenant
    flow, waiting = fetch("nightly_flow", **spans)[0], fetch("nightly_waiting", tenant=tenant)[0]
    rulings = fetch("nightly_rulings", tenant=tenant, **spans)
    worst = fetch("nightly_worst", tenant=tenant, limit=MOST, **spans)
    models = fetch("nightly_models", tenant=tenant, **spans)
    confirmed = sum(row["rulings"] for row in rulings if row["outcome"] == "confirmed")
    title = f"{confirmed:,} confirmed, {waiting['commands']:,} commands wait for approval"
    lines = [f"# Digest of {spans['until']:%Y-%m-%d}", "", f"**{title}.**", ""]
    lines += [f"{flow['read']:,} records read, {flow['refused']:,} refused; {flow['anomalies']:,} anomalies.", ""]
    lines += ruling_words(rulings) + waiting_words(waiting) + worst_words(worst) + model_words(models)
    return {"title": title, "text": "\n".join(lines), "confirmed": confirmed, "flow": flow, "waiting": waiting}


def ruling_words(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["No rulings."]
    by = {"rules": "by rules, without a model", "model": "by a model"}
    return ["## Rulings", "", *(f"- {row['rulings']:,} {row['outcome']} {by[row['council']]}" for row in rows)]


def waiting_words(row: dict[str, Any]) -> list[str]:
    said = [f"- {row['commands']:,} commands to approve or reject", f"- {row['docket']:,} cases before the council"]
    dead = [f"- {row['dead']:,} cases whose every hearing failed: `conclave council --dead`"] if row["dead"] else []
    return ["", "## What waits", "", *said, *dead]


def worst_words(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        action = row["action"].replace("_", " ")
        lines.append(f"- **{row['entity']}** ({action}, confidence {row['confidence']:.0%}): {row['root_cause']}")
    return ["", "## The worst confirmed", "", *lines] if lines else []


def model_words(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        cost = "cost unknown" if row["cost"] is None else f"cost {row['cost']:.2f}"
        part = f" (of {row['cost_unknown']:,} calls unknown)" if row["cost"] is not None and row["cost_unknown"] else ""
        lines.append(
            f"- {row['name']}: {row['calls']:,} calls, {row['failed']:,} failed, p95 {row['p95_ms'] / 1000:.1f} s, {cost}{part}"
        )
    return ["", "## Models", "", *lines] if lines else []
