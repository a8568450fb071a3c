"""Running a plan over the events of a batch: which rows each rule hits, misses, or cannot tell.

A fold over rows: cutting a batch into tables anywhere gives the same tallies.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog
from numpy.typing import NDArray

from pipelines import operators
from pipelines.expression import FAULTS
from pipelines.frame import Bits, Frame, Lookups, Value, truth
from pipelines.plan import ACTING, Plan, Segment, Step, TenantPlan

DEFAULT_TOPIC = "events"
Key = tuple[str, str, str, int]  # tenant, segment, processor, version
log = structlog.get_logger("rules")
NONE = np.empty(0, np.int64)


@dataclass
class Tally:
    """What one rule said of one batch; `rows`: bronze rows of its first hits, in their order, at most as many as are kept."""

    kind: str
    evaluated: int = 0
    hit: int = 0
    errors: int = 0
    rows: NDArray[np.int64] = field(default_factory=lambda: NONE)

    @property
    def missed(self) -> int:
        return self.evaluated - self.hit - self.errors

    def keep(self, rows: NDArray[np.int64], cap: int) -> None:
        """Remember the first of these hits."""
        if len(rows):
            self.rows = np.sort(np.concatenate([self.rows, np.sort(rows)[:cap]]))[:cap]


Tallies = dict[Key, Tally]


def topic_of(source: str) -> str:
    """The topic that a record came by: of Kafka, or of a file named `TOPIC--anything`; else `events`.

    >>> topic_of("payments/3"), topic_of("payments--0001.jsonl"), topic_of("monday.jsonl.gz")
    ('payments', 'payments', 'events')
    """
    if "/" in source:
        return source.rpartition("/")[0]
    head, mark, _ = source.partition("--")
    return head if mark else DEFAULT_TOPIC


def with_topic(table: pa.Table) -> pa.Table:
    """The column `topic`, made from `source`."""
    source = table["source"].combine_chunks()
    coded = source if isinstance(source, pa.DictionaryArray) else source.dictionary_encode()
    topics = pa.array([topic_of(one or "") for one in coded.dictionary.to_pylist()], pa.string())
    return table.append_column("topic", pa.DictionaryArray.from_arrays(coded.indices, topics))


def judge_events(plan: Plan, tables: Iterable[pa.Table], cap: int, after_row: int = -1) -> tuple[Tallies, int]:
    """Every rule's tally over the rows of bronze after `after_row`, and how many rows there were in all."""
    tallies: Tallies = {}
    seen = 0
    for table in tables:
        seen += table.num_rows
        fresh = table.filter(pc.greater(table["row_id"], after_row)) if after_row >= 0 else table
        for tenant, rows in by_tenant(fresh, plan.tenants):
            _events(tenant, with_topic(rows), tallies, cap)
    return tallies, seen


def by_tenant(table: pa.Table, plans: Mapping[str, TenantPlan]) -> Iterator[tuple[TenantPlan, pa.Table]]:
    """The rows of each tenant that has a plan; no copy when they are all of one."""
    column = table["tenant"].combine_chunks()
    for name, plan in plans.items():
        mask = operators.equals(column, name)
        if mask.all():
            yield plan, table
        elif mask.any():
            yield plan, table.filter(pa.array(mask))


def _events(plan: TenantPlan, table: pa.Table, tallies: Tallies, cap: int) -> None:
    for segment in plan.segments:
        if segment.reads_events:
            frame = entering(segment, Frame(table, plan.lists))
            _walk(plan.tenant, segment, frame, tallies, cap)


def entering(segment: Segment, frame: Frame) -> Frame:
    """The rows of the segment's topic that pass its filter; an error in the filter keeps a row out."""
    mask: Bits | None = None
    if segment.topic != "*":
        mask = operators.equals(frame.column("topic").data, segment.topic)
    if segment.filter is not None:
        passed = segment.filter.evaluate(frame).hit
        mask = passed if mask is None else mask & passed
    return frame if mask is None or mask.all() else frame.take(mask)


def _walk(tenant: str, segment: Segment, frame: Frame, tallies: Tallies, cap: int) -> None:
    for step in segment.steps:
        key = (tenant, segment.segment, step.processor, step.version)
        if step.kind == "allow":
            matched = listed(step, frame)
            frame = frame.take(~matched) if matched.any() else frame
        elif step.kind == "enrich":
            count(tallies, key, step.kind, enrich(step, frame))
        elif step.kind in ACTING:
            hit, errors = outcome(step, frame)
            count(tallies, key, step.kind, hit, errors).keep(frame.column("row_id").data[hit], cap)


def count(tallies: Tallies, key: Key, kind: str, hit: Bits, errors: Bits | None = None) -> Tally:
    """Add what a rule said of some rows to its tally."""
    tally = tallies.setdefault(key, Tally(kind))
    tally.evaluated += len(hit)
    tally.hit += int(np.count_nonzero(hit))
    tally.errors += 0 if errors is None else int(np.count_nonzero(errors))
    return tally


def outcome(step: Step, frame: Frame) -> tuple[Bits, Bits | None]:
    """Rows that a rule hits, and rows that it cannot tell."""
    if step.when is None:
        return listed(step, frame), None
    try:
        found = step.when.evaluate(frame)
    except FAULTS as error:  # a rule must not stop the stream: none of these rows can be told
        log.warning("a rule could not be run", processor=step.processor, version=step.version, error=str(error)[:300])
        return np.zeros(len(frame), bool), np.ones(len(frame), bool)
    return found.hit, found.error


def looked_at(field_name: str, frame: Frame) -> Value:
    """The values of a field, or of `attributes.NAME`, that is looked up."""
    head, _, key = field_name.partition(".")
    return operators.entry(frame.column(head), key) if key else frame.column(head)


def listed(step: Step, frame: Frame) -> Bits:
    """Rows whose field holds a value of the list; a null holds none."""
    assert step.listing is not None
    value = looked_at(step.spec.field, frame)
    return np.broadcast_to(operators.among(value, step.listing.keys).data, len(frame))


def enrich(step: Step, frame: Frame) -> Bits:
    """Add the list's columns to the frame; the rows whose key was found."""
    assert step.listing is not None
    keys = looked_at(step.spec.field, frame).data
    if isinstance(keys, pa.DictionaryArray):
        places = pc.index_in(keys.dictionary, value_set=step.listing.keys).take(keys.indices)
    else:
        places = pc.index_in(keys, value_set=step.listing.keys)
    frame.enriched[step.spec.name] = Lookups(places, step.listing.columns)
    return truth(pc.is_valid(places))
