"""States that earlier versions packed, brought to today's version by version: a pure function each, from bytes to bytes.

A new version adds its step here and keeps real states of the one before in `tests/data/states`, made by the code that it
replaces. What a step needs of an old form stands here and never changes with the code.
"""

from collections.abc import Callable, Sequence

import numpy as np

from jobs import blob as binary
from jobs.columns import Columns, Shape
from jobs.errors import StateVersion
from jobs.policy import STATE_VERSION, Layout, digest

Step = Callable[[bytes, Sequence[Layout]], bytes]


def current(blob: bytes, layouts: Sequence[Layout]) -> bytes:
    """The state in today's form. `layouts`: those that this checkpoint has had, which version 1 does not tell itself.

    Raises StateVersion for a version that no step leads on from, or a newer one.
    """
    while (version := blob[0]) != STATE_VERSION:
        if version not in STEPS:
            raise StateVersion(f"It is state version {version}; this code reads {min(STEPS)} to {STATE_VERSION}.")
        blob = STEPS[version](blob, layouts)
    return blob


def readable(version: int) -> bool:
    return version == STATE_VERSION or version in STEPS


def layout_hash_1(layout: Layout) -> str:
    """How version 1 wrote a layout down: in the state's header and in the checkpoint's pin."""
    return digest([1, *layout])


def one_to_two(blob: bytes, layouts: Sequence[Layout]) -> bytes:
    """Version 1: version, hash of the layout, clock, tables without gaps. Version 2 tells its layout and has a checksum."""
    layout = next((one for one in layouts if blob[1:17] == layout_hash_1(one).encode()), None)
    if layout is None:
        raise StateVersion(
            "It is state version 1 with another detect.window, detect.recent_ids or detect.service_buckets than is set; "
            "set them back for the first start with this version, they may change afterwards."
        )
    clock, at, tables = int(np.frombuffer(blob, np.int64, 1, 17)[0]), 25, []
    for shape in shapes_1(layout):
        table, at = Columns.unpack(memoryview(blob), at, shape)
        tables.append(table)
    return binary.pack(binary.Header(2, layout, clock), tables)


def shapes_1(layout: Layout) -> tuple[Shape, Shape, Shape, Shape]:
    """Amounts, services, series and episodes of version 1."""
    window, recent_ids, places = layout.window, layout.recent_ids, layout.service_buckets + 1
    ids: Shape = {"ids": ("uint32", (recent_ids,)), "contents": ("uint8", (recent_ids,))}
    amounts: Shape = {
        "last": ("int64", ()), "count": ("uint8", ()), "amounts": ("int16", (window,)), "gaps": ("uint8", (window,)), **ids,
    }  # fmt: skip
    services: Shape = {
        "last": ("int64", ()), "opened": ("int64", ()), "minute": ("int64", ()), "requests": ("uint32", (places,)),
        "errors": ("uint32", (places,)), "levels": ("uint32", (places, 64)), **ids,
    }  # fmt: skip
    series: Shape = {"last": ("int64", ()), "count": ("uint8", ()), "values": ("float64", (window,)), **ids}
    episodes: Shape = {
        "first": ("int64", ()), "last": ("int64", ()), "first_id": ("int64", ()), "hits": ("int32", ()),
        "worst": ("float64", ()), "mask": ("int32", ()),
    }  # fmt: skip
    return amounts, services, series, episodes


STEPS: dict[int, Step] = {1: one_to_two}
