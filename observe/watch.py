"""Whether an alert rule holds: the window's value against a threshold, or against the week before. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from observe.measure import METRICS, ROW, culprits, measure

WEEK = timedelta(days=7)
LEVEL = ("below", "above")
CHANGE = ("drop", "rise")


@dataclass(frozen=True)
class Rule:
    """`threshold`: the metric's own unit for below and above; for drop and rise a share of last week's value (0.2: a fifth)."""

    metric: str
    comparison: str
    threshold: float
    window_s: float
    least: int
    model: str | None = None


@dataclass(frozen=True)
class Finding:
    """What a rule says of one model. `holds` None: too little is known to say."""

    model: str
    holds: bool | None
    value: float | None
    baseline: float | None
    counted: float
    traces: tuple[tuple[str, float], ...] = ()


def stretch(rule: Rule, now: datetime) -> tuple[datetime, datetime]:
    """Where the rule's window begins, and from where traces are needed: a week earlier when it compares."""
    begin = now - timedelta(seconds=rule.window_s)
    return begin, begin - WEEK if rule.comparison in CHANGE else begin


def check(rule: Rule, rows: Sequence[ROW], now: datetime) -> list[Finding]:
    """One finding for each model of the window. Rows are those since `stretch`'s second moment."""
    begin, _ = stretch(rule, now)
    window: defaultdict[str, list[ROW]] = defaultdict(list)
    before: defaultdict[str, list[ROW]] = defaultdict(list)
    for row in rows:
        if rule.model is None or row["model"] == rule.model:
            (window if row["received_at"] >= begin else before)[row["model"]].append(row)
    return [_find(rule, model, window[model], before[model]) for model in sorted(window)]


def _find(rule: Rule, model: str, rows: Sequence[ROW], earlier: Sequence[ROW]) -> Finding:
    metric = METRICS[rule.metric]
    now, then = measure(metric, rows), measure(metric, earlier)
    value, baseline = now.estimate.value, then.estimate.value
    if rule.comparison in LEVEL:
        baseline = None
        bar: float | None = rule.threshold
    else:
        if metric.how in ("total", "count") and baseline is not None:
            baseline *= rule.window_s / WEEK.total_seconds()
        down = rule.comparison == "drop"
        bar = (
            None
            if baseline is None or then.known < rule.least
            else baseline * (1 - rule.threshold if down else 1 + rule.threshold)
        )
    if value is None or bar is None or now.known < rule.least:
        return Finding(model, None, value, baseline, now.known)
    holds = value < bar if rule.comparison in ("below", "drop") else value > bar
    own = culprits(metric, rows, rule.comparison, bar) if holds else []
    return Finding(model, holds, value, baseline, now.known, tuple(own))


def worse(comparison: str, value: float, worst: float) -> bool:
    """Whether the value is further out than the worst so far."""
    return value < worst if comparison in ("below", "drop") else value > worst


def sentence(rule: Rule, finding: Finding, project: str) -> str:
    """The alert in words, with its numbers."""
    metric = METRICS[rule.metric]
    of = f"{finding.model or 'unknown model'} in {project}"
    value = "unknown" if finding.value is None else said(finding.value, metric.unit)
    if finding.baseline is not None:
        return f"{metric.words} of {of} is {value}, last week {said(finding.baseline, metric.unit)}"
    way = "under" if rule.comparison == "below" else "over"
    return f"{metric.words} of {of} is {value}, {way} {said(rule.threshold, metric.unit)}"


def said(value: float, unit: str) -> str:
    """A number with its unit.

    >>> said(0.25, "share"), said(1234.4, "ms"), said(0.4321, "score")
    ('25 %', '1,234 ms', '0.43')
    """
    if unit == "share":
        return f"{value * 100:.3g} %"
    if unit in ("ms", "tokens", "traces"):
        return f"{value:,.0f} {unit}"
    return f"{value:.4g}" if unit == "cost" else f"{value:.2f}"
