"""One trace to be read: its texts in clear, the answer with its claims marked, its spans as a waterfall."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from observe.errors import UnknownTrace
from observe.measure import ROW
from observe.scores import SCORER
from observe.texts import Reader
from store.database import Queries
from store.settings import Settings

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Part:
    """A stretch of an answer. `supported` None: it claims nothing."""

    text: str
    supported: bool | None
    why: str = ""


def parts(response: str, claims: Sequence[ROW]) -> list[Part]:
    """The whole response cut into its claims and what lies between them.

    >>> claim = {"start": 4, "end": 13, "supported": False, "why": "no"}
    >>> [(part.text, part.supported) for part in parts("Hi. It rains.", [claim])]
    [('Hi. ', None), ('It rains.', False)]
    """
    found, at = [], 0
    for claim in sorted(claims, key=lambda one: one["start"]):
        found += [Part(response[at : claim["start"]], None)] if claim["start"] > at else []
        found.append(Part(response[claim["start"] : claim["end"]], bool(claim["supported"]), claim["why"]))
        at = claim["end"]
    return found + ([Part(response[at:], None)] if at < len(response) else [])


def trace(queries: Queries, settings: Settings, tenant: str, trace_id: str, only: frozenset[str] | None = None) -> ROW:
    """One trace in clear with its `scores`, marked `parts` and `waterfall`. Raises UnknownTrace (also for another's project)."""
    rows = queries.fetch("trace_read", tenant=tenant, trace_id=trace_id)
    if not rows or (only is not None and rows[0]["project"] not in only):
        raise UnknownTrace(f"(`{trace_id}`)")
    row, reader = rows[0], Reader(queries, settings)
    opened = reader.open(tenant, [row["query"], row["response"], row["reference"] or "", row["error"], *row["contexts"]])
    row["query"], row["response"], row["error"], row["contexts"] = opened[0], opened[1], opened[3], opened[4:]
    row["reference"] = None if row["reference"] is None else opened[2]
    row["metadata"] = _opened_values(row["metadata"], reader, tenant)
    scores = queries.fetch("trace_scores_of", tenant=tenant, trace_id=trace_id)
    faithful = [one["detail"] for one in scores if (one["metric"], one["scorer"]) == ("faithfulness", SCORER)]
    claims: list[ROW] = faithful[0].get("claims", []) if faithful else []
    spans = queries.fetch("spans_of", tenant=tenant, trace_ids=[trace_id])
    return row | {
        "scores": scores,
        "parts": parts(row["response"], claims),
        "waterfall": waterfall(_clear(spans, reader, tenant)),
    }


def _clear(spans: Sequence[ROW], reader: Reader, tenant: str) -> list[ROW]:
    opened = reader.open(tenant, [text for span in spans for text in (span["input"], span["output"], span["error"])])
    return [
        span | {"input": opened[3 * n], "output": opened[3 * n + 1], "error": opened[3 * n + 2]}
        | {"attributes": _opened_values(span["attributes"], reader, tenant)}
        for n, span in enumerate(spans)
    ]  # fmt: skip


def _opened_values(values: ROW, reader: Reader, tenant: str) -> ROW:
    if set(values) != {"sealed"}:
        return values
    said = reader.open(tenant, [values["sealed"]])[0]
    try:
        return dict(json.loads(said))
    except (ValueError, TypeError):
        return {"sealed": said}


SHOWN = (
    "span_id", "parent_id", "name", "kind", "latency_ms", "status", "error", "model", "tokens_in", "tokens_out", "cost",
    "cost_why", "input", "output", "attributes",
)  # fmt: skip


def waterfall(spans: Sequence[ROW]) -> list[ROW]:
    """The spans as a tree in reading order: SHOWN, `depth`, and `offset_ms` from the trace's begin.

    A span whose parent never came stands at the top; rings are cut.
    """
    here = {span["span_id"] for span in spans}
    below: defaultdict[str | None, list[ROW]] = defaultdict(list)
    for span in sorted(spans, key=lambda one: (one["started_at"], one["span_id"])):
        below[span["parent_id"] if span["parent_id"] in here else None].append(span)
    begin = min((span["started_at"] for span in spans), default=LONG_AGO)
    found: list[ROW] = []
    _descend(below, None, 0, begin, found, set())
    ringed = [span for span in spans if span["span_id"] not in {one["span_id"] for one in found}]
    return found + [_shown(span, 0, begin) for span in ringed]


def _descend(
    below: dict[str | None, list[ROW]], top: str | None, depth: int, begin: datetime, found: list[ROW], seen: set[str]
) -> None:
    waiting = [(span, depth) for span in reversed(below.get(top, []))]
    while waiting:  # not by recursion: a client may nest a thousand deep
        span, level = waiting.pop()
        if span["span_id"] not in seen:
            seen.add(span["span_id"])
            found.append(_shown(span, level, begin))
            waiting += [(child, level + 1) for child in reversed(below.get(span["span_id"], []))]


def _shown(span: ROW, depth: int, begin: datetime) -> ROW:
    offset = (span["started_at"] - begin) / timedelta(milliseconds=1)
    return {name: span[name] for name in SHOWN} | {"depth": depth, "offset_ms": offset}
