"""What the rules make of flagged events: whom an allow list keeps from the council, and the lane of a case."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from pipelines.frame import Frame
from pipelines.judging import Tallies, count, enrich, entering, listed, outcome, with_topic
from pipelines.plan import Segment, Step, TenantPlan

RANK = {"filed": 0, "batch": 1, "immediate": 2}


@dataclass(frozen=True)
class Verdict:
    """What the rules say of one flagged event: which allow lists it is on, the lane it is raised to, the lane of its route."""

    allowed: tuple[tuple[str, str, int], ...] = ()  # (segment, processor, version)
    raised: str | None = None
    raised_by: tuple[str, str, int] = ("", "", 0)
    routed: str | None = None
    enriched: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)


def judge_flagged(plan: TenantPlan, table: pa.Table, tallies: Tallies) -> list[Verdict]:
    """A verdict for each flagged event (rows of `table`: event, anomaly and `source`), counted for allow lists and routes."""
    size = table.num_rows
    made = [_Draft() for _ in range(size)]
    table = with_topic(table).append_column("place", pa.array(np.arange(size)))
    for segment in plan.segments:
        frame = entering(segment, Frame(table, plan.lists))
        for step in segment.steps:
            frame = _flagged(plan.tenant, segment, step, frame, made, tallies)
        _note(segment, frame, made)
    return [Verdict(tuple(one.allowed), one.raised, one.raised_by, one.routed, one.enriched) for one in made]


@dataclass
class _Draft:
    allowed: list[tuple[str, str, int]] = field(default_factory=list)
    raised: str | None = None
    raised_by: tuple[str, str, int] = ("", "", 0)
    routed: str | None = None
    enriched: dict[str, dict[str, str | None]] = field(default_factory=dict)


def _flagged(tenant: str, segment: Segment, step: Step, frame: Frame, made: list[_Draft], tallies: Tallies) -> Frame:
    key = (tenant, segment.segment, step.processor, step.version)
    places = frame.column("place").data
    if step.kind == "allow":
        matched = listed(step, frame)
        count(tallies, key, step.kind, matched)
        for place in places[matched].tolist():
            made[place].allowed.append((segment.segment, step.processor, step.version))
        return frame.take(~matched) if matched.any() else frame
    if step.kind == "enrich":
        found = enrich(step, frame)
        if not segment.reads_events:
            count(tallies, key, step.kind, found)
    elif step.kind == "route":
        hit, errors = outcome(step, frame)
        count(tallies, key, step.kind, hit, errors)
        for place in places[hit].tolist():
            made[place].routed = step.spec.lane
    elif getattr(step.spec, "lane", None) is not None:
        for place in places[outcome(step, frame)[0]].tolist():
            if highest(made[place].raised, step.spec.lane) != made[place].raised:
                made[place].raised, made[place].raised_by = step.spec.lane, (segment.segment, step.processor, step.version)
    return frame


def _note(segment: Segment, frame: Frame, made: list[_Draft]) -> None:
    """Keep what was looked up beside the flagged event."""
    for name, columns in frame.enriched.items():
        texts = {column: columns[column].data.to_pylist() for column in columns.columns}
        for i, place in enumerate(frame.column("place").data.tolist()):
            made[place].enriched[name] = {column: values[i] for column, values in texts.items()}


def highest(*lanes: str | None) -> str | None:
    """The most urgent of the lanes that are given."""
    given = [lane for lane in lanes if lane is not None]
    return max(given, key=RANK.__getitem__) if given else None


def lane_of(base: str, verdicts: Iterable[Verdict], raised_before: str | None = None) -> str:
    """The lane of a case, given the verdicts on its events in this batch.

    A raise wins over an allow list, so that nobody hides behind one; an allow list files the case when all its events are on it;
    else the last route decides, else the severity's own lane.

    >>> lane_of("immediate", [Verdict(allowed=(("s", "vip", 1),))])
    'filed'
    >>> lane_of("batch", [Verdict(allowed=(("s", "vip", 1),)), Verdict(raised="immediate")])
    'immediate'
    """
    held = list(verdicts)
    raised = highest(raised_before, *(one.raised for one in held))
    if raised is not None:
        return str(highest(base, raised))
    if held and all(one.allowed for one in held):
        return "filed"
    routed = [one.routed for one in held if one.routed is not None]
    return routed[-1] if routed else base
