"""What each batch is given to, as Spark can bear it: what breaks inside is told in a few words."""

from collections.abc import Callable
from typing import Any

from jobs.errors import BatchFailed

Hook = Callable[[Any, int], None]
LONGEST = 1_000
OF_PY4J = "An error occurred while calling"


def brief(write: Hook) -> Hook:
    """`write`, whose Java errors are told short.

    Spark 4.2 looks at them with a regular expression that takes a stack frame for every few characters: a long one, as they are
    with their stack traces, ends the stream's thread with a StackOverflowError, and the query looks as if it had ended well.
    """

    def hook(frame: Any, batch_id: int) -> None:
        try:
            write(frame, batch_id)
        except Exception as error:
            if type(error).__name__ != "Py4JJavaError":
                raise
            raise BatchFailed(first_lines(str(error))) from None

    return hook


def first_lines(said: str) -> str:
    """A Java error in one line: each cause without its stack trace, ours and Python's last words included.

    >>> first_lines("An error occurred while calling o1.f.\\n: java.io.IOException: no\\n\\tat a.B.c(B.java:1)\\nCaused by: X: y")
    'java.io.IOException: no; Caused by: X: y'
    """
    lines = (line.strip().removeprefix(": ") for line in said.splitlines())
    kept = [line for line in lines if line and not line.startswith(("at ", "... ", "File ", "Traceback", OF_PY4J))]
    return "; ".join(dict.fromkeys(kept))[:LONGEST]
