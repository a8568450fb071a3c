"""Numbers on the command line are held to a range, as those in the settings are."""

import importlib
import inspect
import typing
from collections.abc import Iterator

from cli import app

FREE = {"evaluate shift_s": "labels may lie on either side"}


def numbers() -> Iterator[tuple[str, typing.Any]]:
    """`command option` and typer's option of every number."""
    for path, entry in app.COMMANDS.items():
        function = getattr(importlib.import_module(entry.module), entry.function)
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
            kind, *said = typing.get_args(parameter.annotation) or (None,)
            if {int, float} & {kind, *typing.get_args(kind)}:
                yield from ((f"{path} {name}", option) for option in said if hasattr(option, "min"))


def test_every_number_has_a_lowest_value() -> None:
    found = dict(numbers())
    assert len(found) > 20
    assert {name for name, option in found.items() if option.min is None} == set(FREE)


def test_a_number_below_it_is_refused_by_name(conclave: typing.Any) -> None:
    done = conclave("detect", "--rebuild", "--days", "-1")
    assert done.returncode == 2
    assert "--days" in done.stderr
