"""Additive metrics of a batch: one row per entity and minute or hour, to be added to what the tables hold."""

import numpy as np
import pyarrow as pa

from jobs.columns import Bits, Longs, Values
from jobs.points import Received
from jobs.service_windows import LEVELS, UNTIMED, level_of

MINUTE_US, HOUR_US = 60_000_000, 3_600_000_000
Aggregated = dict[str, Values]


def rows(received: Received, hit: Bits, width_us: int, *, timed: bool) -> pa.Table:
    """The batch's metrics as Arrow; `timed` adds the latency histogram."""
    sums = aggregate(received, hit, width_us)
    return table(sums, histograms(received, width_us, sums) if timed else None)


def aggregate(received: Received, hit: Bits, width_us: int) -> Aggregated:
    """Sums per (entity, bucket) over all points received; late and repeated ones are only counted.

    `hit` (N,) flags anomalous points. A point without a value (a request's latency) counts but is not summed.
    """
    points, fresh = received.points, received.fresh
    bucket = points.time // width_us
    starts = bucket_starts(points.entity, bucket)
    summed = fresh & ~np.isnan(points.value)
    zeroed = np.where(summed, points.value, 0.0)

    def total(of: Values) -> Values:
        return np.add.reduceat(of, starts) if len(starts) else of[:0]

    return {
        "entity_hash": points.entity[starts],
        "bucket": bucket[starts] * width_us,
        "count": total(fresh.astype(np.int64)),
        "errors": total((fresh & points.error).astype(np.int64)),
        "sum": total(zeroed),
        "sum_squares": total(zeroed * zeroed),
        "min": np.minimum.reduceat(np.where(summed, points.value, np.inf), starts) if len(starts) else zeroed[:0],
        "max": np.maximum.reduceat(np.where(summed, points.value, -np.inf), starts) if len(starts) else zeroed[:0],
        "anomalies": total(hit.astype(np.int64)),
        "late": total(received.late.astype(np.int64)),
        "duplicates": total(received.duplicate.astype(np.int64)),
    }


def bucket_starts(entity: Longs, bucket: Longs) -> Longs:
    """Index of the first point of each entity's buckets."""
    if not len(entity):
        return np.empty(0, np.int64)
    changes = (entity[1:] != entity[:-1]) | (bucket[1:] != bucket[:-1])
    return np.flatnonzero(np.concatenate(([True], changes)))


def histograms(received: Received, width_us: int, rows: Aggregated) -> Longs:
    """Counts (rows, 64) of the fresh points' latency levels for the rows that `aggregate` gave."""
    points = received.points.take(received.fresh)
    level = level_of(points.value)
    timed = level != UNTIMED
    index = {key: i for i, key in enumerate(zip(rows["entity_hash"].tolist(), rows["bucket"].tolist(), strict=True))}
    bucket = points.time // width_us * width_us
    starts = bucket_starts(points.entity, bucket)
    out = np.zeros((len(rows["count"]), LEVELS), np.int64)
    for start, end in zip(starts, np.append(starts, len(points))[1:], strict=True):
        row = index[(int(points.entity[start]), int(bucket[start]))]
        out[row] += np.bincount(level[start:end][timed[start:end]], minlength=LEVELS)
    return out


def table(rows: Aggregated, histogram: Longs | None = None) -> pa.Table:
    """As Arrow; `histogram` is a list column, empty lists when there is none."""
    columns = {name: pa.array(values) for name, values in rows.items()}
    if histogram is not None:
        flat = pa.array(histogram.reshape(-1))
        columns["histogram"] = pa.FixedSizeListArray.from_arrays(flat, LEVELS)
    return pa.table(columns)
