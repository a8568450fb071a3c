"""What breaks inside a batch is told short enough for Spark to survive the telling."""

import doctest

import pytest

from jobs import hook
from jobs.errors import BatchFailed


class Py4JJavaError(Exception):
    """Py4J's, by its name."""


def breaking(error: Exception) -> hook.Hook:
    def write(_frame: object, _batch: int) -> None:
        raise error

    return hook.brief(write)


def test_the_examples_hold() -> None:
    assert doctest.testmod(hook).failed == 0


def test_a_long_java_error_becomes_one_short_line() -> None:
    trace = "\n".join(f"\tat org.apache.spark.Thing.run(Thing.scala:{n})" for n in range(5_000))
    said = (
        f"An error occurred while calling o7.save.\n: java.io.IOException: {'x' * 90_000}\n{trace}\nCaused by: Y: gone\n{trace}"
    )
    with pytest.raises(BatchFailed) as caught:
        breaking(Py4JJavaError(said))(None, 0)
    assert len(str(caught.value)) < 1_200
    assert "calling" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_an_error_of_ours_passes_as_it_is() -> None:
    ours = ValueError("no")
    with pytest.raises(ValueError, match="no") as caught:
        breaking(ours)(None, 0)
    assert caught.value is ours
