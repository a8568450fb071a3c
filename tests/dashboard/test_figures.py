"""The figures, without a browser: what is red, what is marked, what the axes hold."""

import math
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from dashboard import charts, history, look
from dashboard.reading import BATCHES, FLAGGED, MEASURED, WINDOWED, frame

START = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)


def measured(entity: str, counts: list[int], anomalies: list[int], step_min: int = 15) -> list[dict[str, object]]:
    return [
        {
            "bucket": START + timedelta(minutes=step_min * place),
            "entity": entity,
            "count": count,
            "error_rate": 0.1,
            "mean": 12.0,
            "anomalies": flags,
        }
        for place, (count, flags) in enumerate(zip(counts, anomalies, strict=True))
    ]


@pytest.fixture
def overview() -> pd.DataFrame:
    return frame(measured("service:cart", [5, 6, 7], [0, 0, 0]) + measured("service:pay<b>", [50, 60, 70], [0, 2, 0]), MEASURED)


def window(**columns: list[float]) -> pd.DataFrame:
    rows = [
        {
            "bucket": START + timedelta(hours=place),
            "count": 3,
            "error_rate": math.nan,
            "p95": math.nan,
            "anomalies": 0,
            **{name: values[place] for name, values in columns.items()},
        }
        for place in range(3)
    ]
    return frame(rows, WINDOWED)


def hit(**more: object) -> dict[str, object]:
    return {
        "event_time": START,
        "detector": "amount_z",
        "value": 1240.0,
        "expected": 41.0,
        "low": 8.0,
        "high": 84.0,
        "unit": "amount",
        "severity": 0.97,
        "event_id": "x",
        **more,
    }


@pytest.mark.parametrize("colours", [look.LIGHT, look.DARK])
def test_only_anomalous_bars_are_red_and_marked(overview: pd.DataFrame, colours: look.Palette) -> None:
    busiest, other = charts.overview(overview, "count", "events", colours).data
    assert list(busiest.marker.color) == [colours.usual, colours.alarm, colours.usual]
    assert list(busiest.text) == ["", look.MARK, ""]
    assert set(other.marker.color) == {colours.usual}
    assert busiest.customdata[1] == "60 events, 2 anomalies"


def test_the_busiest_entity_comes_first_and_its_name_is_escaped(overview: pd.DataFrame) -> None:
    figure = charts.overview(overview, "count", "events", look.LIGHT)
    assert [max(trace.y) for trace in figure.data] == [70, 7]
    assert "pay&lt;b&gt;" in figure.layout.annotations[0].text


def test_bars_are_as_wide_as_their_buckets(overview: pd.DataFrame) -> None:
    assert charts.step_ms(overview) == 15 * 60_000
    assert charts.step_ms(overview.head(1)) == 60_000


def test_a_measure_without_values_still_makes_a_figure(overview: pd.DataFrame) -> None:
    overview["error_rate"] = math.nan
    figure = charts.overview(overview, "error_rate", "error rate", look.LIGHT)
    assert tuple(figure.layout.yaxis.range) == (0, 1)


def test_the_overview_is_described_for_those_who_cannot_see_it(overview: pd.DataFrame) -> None:
    said = charts.described(overview, "Services", "Events", "24 hours")
    assert said == "Events of the 2 busiest services over 24 hours; 1 of 6 bars hold an anomaly"


def test_each_kind_offers_measures_that_its_rows_have() -> None:
    for kind in ("service", "series", "account", "counterparty"):
        assert {column for column, _ in charts.measures(kind).values()} <= set(MEASURED)
    assert "Error rate" not in charts.measures("account")


def test_an_anomaly_stands_beside_its_expected_range() -> None:
    hits = frame([hit(low=30.0, high=50.0, value=60.0)], FLAGGED)
    figure = history.history("account", "EUR", window(mean=[40, 41, 42], min=[30, 31, 32], max=[50, 51, 52]), hits, look.LIGHT)
    band, mark = figure.data[1], figure.data[2]
    assert (band.y[0] - band.error_y.arrayminus[0], band.y[0] + band.error_y.array[0]) == (30, 50)
    assert mark.y[0] == 60
    assert "expected 30.00 to 50.00 EUR" in mark.customdata[0]
    assert figure.layout.yaxis.type != "log"


def test_one_large_amount_makes_the_axis_logarithmic_and_the_band_stays_above_its_floor() -> None:
    hits = frame([hit(low=-20.0)], FLAGGED)
    figure = history.history("account", "EUR", window(mean=[40, 41, 42], min=[30, 31, 32], max=[50, 51, 52]), hits, look.LIGHT)
    assert figure.layout.yaxis.type == "log"
    band = figure.data[1]
    assert band.y[0] - band.error_y.arrayminus[0] == 15


def test_open_ends_and_zeros_do_not_break_the_figure() -> None:
    hits = frame([hit(low=-math.inf, high=math.inf, value=0.0)], FLAGGED)
    figure = history.history("account", "EUR", window(mean=[0, 0, 0], min=[0, 0, 0], max=[0, 0, 0]), hits, look.LIGHT)
    assert list(figure.data[1].error_y.array) == [0]
    assert list(figure.data[1].error_y.arrayminus) == [0]
    assert history.log_floor(window(mean=[0] * 3, min=[0] * 3, max=[0] * 3), hits) is None


def test_bursts_of_an_account_have_a_row_of_their_own_but_not_those_of_a_service() -> None:
    bursts = frame([hit(unit="events", value=44.0)], FLAGGED)
    assert history.panels("account", bursts)[-1] is history.BURSTS
    assert history.BURSTS not in history.panels("service", bursts)
    assert history.BURSTS not in history.panels("account", frame([hit()], FLAGGED))


def test_an_entity_without_metrics_still_shows_its_anomalies() -> None:
    figure = history.history("service", "", frame([], WINDOWED), frame([hit(unit="ms")], FLAGGED), look.DARK)
    assert [trace.name for trace in figure.data] == ["Expected range", "Anomaly"]


def test_the_range_follows_the_newest_event_and_not_the_clock() -> None:
    hits = frame([hit(), hit(event_time=START - timedelta(hours=5))], FLAGGED)
    assert len(history.within(hits, window(mean=[1] * 3, min=[1] * 3, max=[1] * 3), 3 * 3600)) == 1
    assert len(history.within(hits, frame([], WINDOWED), 6 * 3600)) == 2
    assert history.within(frame([], FLAGGED), frame([], WINDOWED), 60).empty


def test_progress_draws_each_job_in_the_order_of_its_commits() -> None:
    rows = [
        {"committed_at": START + timedelta(seconds=place), "job": "detect", "events": place, "took_s": 0.5} for place in (2, 1, 0)
    ]
    ingest, detect = charts.progress(frame(rows, BATCHES), look.LIGHT).data
    assert (len(ingest.x), list(detect.y)) == (0, [0, 1, 2])
    assert ingest.marker.symbol != detect.marker.symbol
