"""`conclave traces projects|worst|report|show`: what the calls of language models amount to, on a terminal."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from observe.measure import Measured
    from observe.reports import Stretch

ProjectName = Annotated[str | None, typer.Option(help="Only this project. Default: all.")]
Days = Annotated[float, typer.Option(min=0.01, help="How many days back.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def projects(as_json: AsJson = False) -> None:
    """List the projects with what they hold and how long they keep it."""
    from observe import projects as known
    from store.database import open_database
    from store.settings import settings

    with open_database(settings()) as database:
        rows = known.listed(database, settings().tenant)
    if as_json:
        typer.echo(json.dumps({"projects": rows}, default=str))
        return
    for row in rows:
        newest = f", newest {row['newest']:%Y-%m-%d %H:%M}" if row["newest"] is not None else ""
        typer.echo(
            f"{row['project']}  {row['traces']:,} traces ({row['waiting']:,} to be scored{newest}), "
            f"kept {row['retention_days']} days, text {row['text_mode']}, {row['keep_share']:.0%} of ordinary ones"
        )
    if not rows:
        typer.echo("No project has sent a trace yet. Send one: POST /v1/traces, OTLP, or observe.sdk.")


def worst(
    metric: Annotated[str, typer.Option(help="By which score.")] = "faithfulness",
    project: ProjectName = None,
    days: Days = 7.0,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Answers at most.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show the worst answers; sentences that nothing supports are marked with ✗ and why."""
    from observe import reports
    from observe.scores import METRICS
    from store.database import open_database
    from store.settings import settings

    if metric not in METRICS:
        raise typer.BadParameter(f"one of {', '.join(METRICS)}", param_hint="--metric")
    with open_database(settings()) as database:
        rows = reports.worst(database, settings(), _stretch(project, days), metric, limit)
    if as_json:
        typer.echo(json.dumps({"worst": [row | {"parts": [asdict(part) for part in row["parts"]]} for row in rows]}, default=str))
        return
    for row in rows:
        typer.echo(f"{row['value']:.2f}  {row['trace_id']}  {row['project']}  {_line(row['model']) or 'unknown model'}")
        typer.echo(f"      ? {_line(row['query'])}")
        for part in row["parts"]:
            if part.text.strip():
                mark = " " if part.supported is None else "✓" if part.supported else "✗"
                typer.echo(f"      {mark} {_line(part.text)}" + (f"  ({part.why})" if part.why else ""))
    if not rows:
        typer.echo(f"No trace of the last {days:g} days has a known {metric}.")


def report(project: ProjectName = None, days: Days = 7.0, as_json: AsJson = False) -> None:
    """Quality, cost and latency of the last days, corrected for sampling; then cost by model."""
    from observe import reports
    from store.database import open_database
    from store.settings import settings

    stretch = _stretch(project, days)
    with open_database(settings()) as database:
        found, lines = reports.overview(database, stretch), reports.costs(database, stretch)
    if as_json:
        typer.echo(json.dumps({"overview": asdict(found), "models": [asdict(line) for line in lines]}, default=str))
        return
    typer.echo(f"{found.seen:,} traces came in, {found.kept:,} were kept; what follows is estimated for all of them.")
    for one in found.measured.values():
        typer.echo(f"  {_said(one)}")
    for line in lines:
        cost = "unknown" if line.cost.value is None else f"{line.cost.value:.4g}"
        unknown = f", unknown for {line.unknown_cost:,.0f}" if line.unknown_cost else ""
        typer.echo(f"  {_line(line.name) or 'unknown model'}: {line.traces:,.0f} traces, cost {cost}{unknown}")


def _stretch(project: str | None, days: float) -> "Stretch":
    from observe.reports import Stretch
    from store.settings import settings

    until = datetime.now(UTC) + timedelta(seconds=1)
    return Stretch(settings().tenant, until - timedelta(days=days), until, project)


def _said(one: "Measured") -> str:
    """A measurement in words: value, interval, and for how many traces it is unknown."""
    from observe.measure import METRICS
    from observe.watch import said

    metric, estimate = METRICS[one.metric], one.estimate
    if estimate.value is None:
        return f"{metric.words}: unknown"
    between = ""
    if estimate.low is not None and estimate.high is not None and estimate.high > estimate.low:
        between = f" ({said(estimate.low, metric.unit)} to {said(estimate.high, metric.unit)})"
    silent = f", unknown for {one.unknown:,.0f}" if one.unknown else ""
    return f"{metric.words}: {said(estimate.value, metric.unit)}{between}{silent}"


def _line(text: Any, cap: int = 160) -> str:
    """One line that a terminal takes: no control characters."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())
    return flat if len(flat) <= cap else flat[: cap - 1] + "…"
