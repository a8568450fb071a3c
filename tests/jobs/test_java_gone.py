"""A Java process that was killed is told in a sentence, and is nobody's fault twice."""

from typing import Any

import pytest
from py4j.protocol import Py4JNetworkError

from jobs.errors import StreamFailed
from jobs.run import follow, stopped
from store.errors import DatabaseAway


class Gone:
    """Spark's handles after their JVM was killed: whatever is asked of them, py4j raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def awaitTermination(self, *_: Any) -> bool:
        raise self.error

    stop = awaitTermination


class Away:
    """A database that is away: signs of life are not worth waiting for it."""

    def run(self, *_: Any, **__: Any) -> None:
        raise DatabaseAway("(gone, too)")


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(111, "Connection refused"), Py4JNetworkError("Answer from Java side is empty")]
)
def test_a_killed_jvm_is_said_in_a_sentence(error: Exception) -> None:
    with pytest.raises(StreamFailed, match="detect: Spark's Java process ended"):
        follow(Gone(error), "detect", Away(), None, None)  # type: ignore[arg-type]
    stopped(Gone(error))


def test_other_faults_stay_what_they_are() -> None:
    with pytest.raises(ZeroDivisionError):
        follow(Gone(ZeroDivisionError()), "detect", Away(), None, None)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        stopped(Gone(ZeroDivisionError()))
