"""The additive metrics against pandas over the raw points, and what is told of late, repeated and untimed ones."""

import math

import numpy as np
import pandas as pd
import pytest
from streams import SMALL, START, Point, S, columns, cut, even, fold, mixed, together

from jobs.points import ACCOUNT, COUNTERPARTY, SERIES, SERVICE, Points
from jobs.service_windows import level_of

WIDTH_US = {ACCOUNT: 3_600 * S, COUNTERPARTY: 3_600 * S, SERVICE: 60 * S, SERIES: 60 * S}


def frame(points: Points) -> pd.DataFrame:
    """Each entity's points once: the first of those with the same id."""
    table = pd.DataFrame({name: getattr(points, name) for name in Points.__dataclass_fields__})
    table = table[table.kind.isin(WIDTH_US)].drop_duplicates(["entity", "id"])
    table["bucket"] = table.time // table.kind.map(WIDTH_US) * table.kind.map(WIDTH_US)
    return table


@pytest.mark.parametrize("seed", [1, 2, 3, 5])
def test_metrics_equal_pandas_over_the_raw_points(seed):
    points = mixed(seed, 400, again=False)
    found = together(fold(cut(points, range(0, 400, 60)), SMALL)[1]).metrics
    table = frame(points)
    grouped = table.groupby(["entity", "bucket"])
    assert {(entity, bucket) for _, entity, bucket in found} == set(grouped.groups)
    for (kind, entity, bucket), row in found.items():
        mine = grouped.get_group((entity, bucket))
        value = mine.value.dropna()
        assert kind == ("metric_hour" if mine.kind.iloc[0] in (ACCOUNT, COUNTERPARTY) else "metric_minute")
        assert (row["count"], row["errors"]) == (len(mine), int(mine.error.sum()))
        assert row["sum"] == pytest.approx(value.sum())
        assert row["sum_squares"] == pytest.approx((value**2).sum())
        assert (row["min"], row["max"]) == ((value.min(), value.max()) if len(value) else (math.inf, -math.inf))
        if mine.kind.iloc[0] == SERVICE:
            expected = np.bincount(level_of(value.to_numpy()), minlength=64).tolist()
            assert row["histogram"] == expected
        else:
            assert row["histogram"] is None


def test_anomalies_are_counted_in_the_bucket_of_their_event():
    calm = even([10.0 + i % 3 for i in range(60)])
    odd = even([5000.0, 10.0, 9000.0], start=START + 2 * 3600 * S, gap_s=1, first=900)
    total = together(fold([calm, odd], SMALL)[1])
    hours = {bucket: row["anomalies"] for (_, _, bucket), row in total.metrics.items()}
    assert hours == {START: 0, START + 2 * 3600 * S: total.counts["hits"]}
    assert total.counts["hits"] == 2


def test_late_and_repeated_points_are_only_counted():
    calm = even([10.0] * 5, gap_s=1)
    late = columns([Point(START - 2 * SMALL.lateness_us, 77.0, id=99, row=90)])
    total = together(fold([calm, late, calm.take(np.array([4]))], SMALL)[1])
    rows = {bucket: row for (_, _, bucket), row in total.metrics.items()}
    now = rows[START]
    assert (now["count"], now["duplicates"], now["late"], now["sum"]) == (5, 1, 0, 50.0)
    before = rows[START - 3600 * S]
    assert (before["count"], before["late"], before["sum"]) == (0, 1, 0.0)


def test_a_batch_of_nothing_but_repeats_is_folded():
    for kind in WIDTH_US:
        calm = even([10.0] * 4, kind=kind, gap_s=1)
        total = together(fold([calm, calm, calm], SMALL)[1])
        assert (total.counts["points"], total.counts["duplicates"]) == (4, 8 if kind != COUNTERPARTY else 0)
        assert sum(row["duplicates"] for row in total.metrics.values()) == 8


def test_an_untimed_request_counts_but_has_no_latency():
    points = even([math.nan, 100.0, math.nan], kind=SERVICE, gap_s=1, errors=[True, False, True])
    [row] = together(fold([points], SMALL)[1]).metrics.values()
    assert (row["count"], row["errors"], row["sum"], sum(row["histogram"])) == (3, 2, 100.0, 1)
