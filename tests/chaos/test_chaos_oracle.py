"""A lost row, a second one, a changed bit and an uncovered case are found and named."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chaos import delta
from chaos.campaign import Outcome
from chaos.coverage import uncovered
from chaos.oracle import canonical, differences, misplaced, placed
from chaos.report import recovery, said, table

HEARD = {
    "case_id": "c",
    "state": "done",
    "revision": 3,
    "heard_revision": 2,
    "leased_by": None,
    "in_force": 1,
    "ruled_revision": 2,
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"state": "leased", "leased_by": "council@gone/1"}, "a lease of council@gone/1"),
        ({"state": "waiting"}, "its hearing is waiting"),
        ({"state": "dead"}, "its hearing is dead"),
        ({"in_force": 0}, "0 rulings in force"),
        ({"in_force": 2}, "2 rulings in force"),
        ({"ruled_revision": 1}, "heard at revision 2, ruled at 1"),
        ({"revision": 4}, "not heard again"),
    ],
)
def test_an_uncovered_case_is_named(changed: dict[str, Any], words: str) -> None:
    assert uncovered([HEARD]) == []
    (found,) = uncovered([HEARD, HEARD | changed])
    assert found.startswith("c: ")
    assert words in found


def test_one_changed_bit_is_a_difference() -> None:
    ours, theirs = canonical([{"a": 0.1 + 0.2, "b": None}]), canonical([{"a": 0.3, "b": None}])
    (found,) = differences({"t": ours}, {"t": theirs})
    assert (found.only_after_faults, found.only_undisturbed) == (tuple(ours), tuple(theirs))
    assert "t: 1 rows only after the faults, 1 only undisturbed" in said(found)


def test_a_row_that_is_there_twice_is_a_difference() -> None:
    (found,) = differences({"t": ["a", "a"], "u": []}, {"t": ["a"], "u": []})
    assert (found.table, found.only_after_faults, found.only_undisturbed) == ("t", ("a",), ())


def test_a_table_that_one_run_lacks_is_a_difference() -> None:
    assert [one.table for one in differences({}, {"t": ["a"]})] == ["t"]


def test_each_record_must_be_there_once() -> None:
    given = Counter([("t/0", n) for n in range(4)])
    assert placed(given, given) == []
    held = Counter({("t/0", 0): 1, ("t/0", 1): 2, ("t/0", 3): 1, ("t/0", 9): 1})
    assert placed(held, given) == ["t/0@1 is there 2 times", "t/0@9 is there 1 times", "t/0@2 is lost"]


def write(folder: Path, commit: int, actions: list[dict[str, Any]]) -> None:
    (folder / "_delta_log").mkdir(parents=True, exist_ok=True)
    (folder / "_delta_log" / f"{commit:020d}.json").write_text("\n".join(json.dumps(action) for action in actions) + "\n")


def part(folder: Path, name: str, positions: list[int], **more: Any) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    columns = {"source": ["t/0"] * len(positions), "position": positions} | {k: [v] * len(positions) for k, v in more.items()}
    pq.write_table(pa.table(columns), folder / name)
    return {"add": {"path": name.replace(" ", "%20")}}


def test_only_what_the_log_names_counts(tmp_path: Path) -> None:
    bronze, quarantine = tmp_path / "delta" / "bronze", tmp_path / "delta" / "quarantine"
    write(bronze, 0, [{"metaData": {}}])
    write(bronze, 1, [part(bronze, "a file.parquet", [0, 1])])
    write(bronze, 2, [part(bronze, "b.parquet", [2])])
    part(bronze, "written-by-a-job-that-died.parquet", [2])
    write(quarantine, 0, [part(quarantine, "q.parquet", [3], reason="not valid JSON")])
    assert sorted(row["position"] for row in delta.rows(bronze, ["position"])) == [0, 1, 2]
    places = [("t/0", n) for n in range(4)]
    assert misplaced(tmp_path, places) == []
    write(bronze, 3, [{"remove": {"path": "b.parquet"}}])
    assert misplaced(tmp_path, places) == ["t/0@2 is lost"]
    write(bronze, 5, [])
    with pytest.raises(ValueError, match="commit 4 is missing"):
        delta.live_files(bronze)


def test_recovery_times_are_told_by_kind() -> None:
    outcomes = [
        Outcome(1, "model-hangs", "whole", 1.0, 4.0, 0),
        Outcome(2, "model-hangs", "whole", 3.0, 8.0, 1),
        Outcome(3, "broker", "whole", None, 2.0, 0),
    ]
    found = recovery(outcomes)
    assert found["model-hangs"] == {
        "faults": 2, "restarts": 1, "next_commit_p50_s": 2.0, "next_commit_max_s": 3.0, "drained_p50_s": 6.0,
        "drained_max_s": 8.0,
    }  # fmt: skip
    assert found["broker"]["next_commit_p50_s"] is None
    assert "2.0, 3.0" in table(found)
