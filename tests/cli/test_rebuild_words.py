"""What `detect --rebuild` says before and while it folds."""

import pytest

from cli.jobs import rebuilt, teller
from jobs.rebuild import Start


def test_a_rebuild_says_what_it_keeps_and_what_it_will_do() -> None:
    said = rebuilt("/home/checkpoints/detect-1", Start(7, 99, 1_200_000), 256)
    assert "/home/checkpoints/detect-1" in said
    assert "bronze version 7" in said
    assert "1,200,000 rows, into 256 shards" in said
    assert rebuilt(None, None, 8) == "there was no checkpoint yet"


def test_each_batch_says_how_far_the_rebuild_is(capsys: pytest.CaptureFixture[str]) -> None:
    tell = teller(as_json=False, expected=1000)
    for number, rows in enumerate((250, 500, 400)):
        tell("detect", {"batch_id": number, "input_rows": rows, "duration_ms": {"triggerExecution": 1500}})
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == "detect batch 0: 250 rows in 1.5 s, 250 of about 1,000 (25%)"
    assert second.endswith("750 of about 1,000 (75%)")
    assert third == "detect batch 2: 400 rows in 1.5 s"
