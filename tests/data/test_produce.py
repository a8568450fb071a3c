"""Producing: the merge, the shift, the pace and the folder, byte by byte."""

import gzip
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.produce import Pace, event_time, lines, merged, produce, shift_to, shifted
from jobs.targets import Folder, client_options

T0 = datetime(2024, 3, 4, tzinfo=UTC)


class Kept:
    """A target that keeps what it is given."""

    def __init__(self, stop_at: int | None = None, stop: threading.Event | None = None) -> None:
        self.got: list[tuple[bytes | None, bytes]] = []
        self.stop_at, self.stop, self.closed = stop_at, stop, False

    def write(self, key: bytes | None, line: bytes) -> None:
        self.got.append((key, line))
        if self.stop is not None and len(self.got) == self.stop_at:
            self.stop.set()

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True


def record(second: float, **fields: object) -> bytes:
    at = (T0 + timedelta(seconds=second)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return msgspec.json.encode({"event_time": at, **fields})


def file_of(path: Path, *raws: bytes) -> Path:
    body = b"\n".join(raws) + b"\n"
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


def test_files_are_merged_by_time(tmp_path: Path) -> None:
    one = file_of(tmp_path / "a.jsonl.gz", record(1, account_id="A1"), record(3, account_id="A1"))
    two = file_of(tmp_path / "b.jsonl", record(2, service="s"), record(4, service="s"))
    kept = Kept()
    assert produce([one, two], kept).events == 4
    assert [key for key, _ in kept.got] == [b"A1", b"s", b"A1", b"s"]
    assert kept.closed


def test_late_and_broken_lines_stay_where_they_arrived(tmp_path: Path) -> None:
    raws = [record(10), record(1), b'{"event_time":', b"\xff\xfe", record(11)]
    one = file_of(tmp_path / "a.jsonl", *raws)
    two = file_of(tmp_path / "b.jsonl", record(10.5))
    assert [line.raw for line in merged([one, two])] == [*raws[:4], record(10.5), raws[4]]


def test_a_time_in_the_far_future_does_not_hold_the_rest_back(tmp_path: Path) -> None:
    far = b'{"event_time":"2124-01-01T00:00:00Z"}'
    one = file_of(tmp_path / "a.jsonl", record(1), far, record(2))
    two = file_of(tmp_path / "b.jsonl", record(5))
    assert [line.raw for line in merged([one, two])] == [record(1), far, record(2), record(5)]
    assert shift_to([one, two], T0) == -5


def test_limit_and_blank_lines(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.jsonl", record(1), b"", b"  ", record(2), record(3))
    assert len(list(lines(path))) == 3
    kept = Kept()
    assert produce([path], kept, limit=2).events == 2
    assert [raw for _, raw in kept.got] == [record(1), record(2)]


def test_stop_ends_it_and_closes_the_target(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.jsonl", *[record(second) for second in range(100)])
    stop = threading.Event()
    kept = Kept(7, stop)
    done = produce([path], kept, stop=stop)
    assert (done.events, done.stopped, kept.closed) == (7, True, True)


def test_the_rate_is_kept(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.jsonl", *[record(second) for second in range(61)])
    assert 0.1 <= produce([path], Kept(), rate=400).seconds < 1.5


def test_the_speed_is_kept(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.jsonl", *[record(second) for second in range(61)])
    assert 0.1 <= produce([path], Kept(), speed=400).seconds < 1.5


@given(sent=st.integers(0, 10**9), passed=st.floats(0, 1e9), rate=st.floats(0.1, 1e6), speed=st.floats(0.1, 1e6))
def test_the_slower_of_rate_and_speed_wins(sent: int, passed: float, rate: float, speed: float) -> None:
    since = timedelta(seconds=passed)
    both = Pace(rate, speed).due_s(sent, since)
    assert both == max(Pace(rate).due_s(sent, since), Pace(speed=speed).due_s(sent, since))
    assert Pace().due_s(sent, since) == 0


@given(shift=st.integers(-(10**8), 10**8), raw=st.binary(max_size=30))
def test_shifting_changes_the_time_and_nothing_else(shift: int, raw: bytes) -> None:
    line = record(60, message="m") + raw
    moved = shifted(line, shift)
    told = event_time(moved)
    assert told is not None
    assert told - T0 == timedelta(seconds=60 + shift)
    assert moved.endswith(b',"message":"m"}' + raw)


@pytest.mark.parametrize("raw", [b"", b"not json", b'{"event_time":"yesterday"}', b'{"event_time":12}'])
def test_what_has_no_time_is_passed_on(raw: bytes) -> None:
    assert shifted(raw, 5) == raw
    assert event_time(raw) is None


def test_a_naive_time_stays_naive() -> None:
    assert shifted(b'{"event_time":"2024-03-04T00:00:01"}', 1) == b'{"event_time":"2024-03-04T00:00:02.000"}'


def test_folder_files_hold_at_most_so_many_and_sort_in_order(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.jsonl", *[record(second) for second in range(25)])
    landing = tmp_path / "landing"
    produce([path], Folder(landing, 10))
    files = sorted(landing.iterdir())
    assert [len(file.read_bytes().splitlines()) for file in files] == [10, 10, 5]
    assert b"".join(file.read_bytes() for file in files) == path.read_bytes()


def test_two_producers_never_overwrite_each_other(tmp_path: Path) -> None:
    one, two = Folder(tmp_path, 1), Folder(tmp_path, 1)
    for folder, raw in ((one, b"1"), (two, b"2"), (one, b"3"), (Folder(tmp_path, 1), b"4")):
        folder.write(None, raw)
    assert sorted(file.read_bytes() for file in tmp_path.iterdir()) == [b"1\n", b"2\n", b"3\n", b"4\n"]


def test_a_folder_hands_over_what_has_waited_long_enough(tmp_path: Path) -> None:
    now = [0.0]
    folder = Folder(tmp_path, 100, 0.5, lambda: now[0])
    folder.write(None, b"1")
    assert not list(tmp_path.iterdir())
    now[0] = 0.6
    folder.write(None, b"2")
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == b"1\n2\n"


def test_a_long_wait_first_hands_over_what_is_held(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.jsonl", record(0), record(10_000))
    landing, stop = tmp_path / "landing", threading.Event()
    thread = threading.Thread(target=produce, args=([path], Folder(landing)), kwargs={"speed": 1.0, "stop": stop})
    thread.start()
    try:
        while not list(landing.glob("events-*.jsonl")) and thread.is_alive():
            thread.join(0.02)
        assert len(list(landing.glob("events-*.jsonl"))) == 1
    finally:
        stop.set()
        thread.join(5)


def test_java_words_become_librdkafka_words() -> None:
    jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="p w";'
    given_options = {"security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.jaas.config": jaas}
    assert client_options(given_options) == {
        "security.protocol": "SASL_SSL", "sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": "p w",
    }  # fmt: skip
