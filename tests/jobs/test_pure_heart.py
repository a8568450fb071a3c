"""The fold decides by its arguments alone: nothing it is made of knows a clock, chance, the environment, files or Spark."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
from streams import SMALL, even, fold, together

from jobs.points import short_ids

ROOT = Path(__file__).parents[2]
FORBIDDEN = {"time", "datetime", "random", "secrets", "uuid", "os", "sys", "pathlib", "socket", "pyspark", "psycopg", "threading"}


def imported(module: str) -> set[str]:
    """What a module of ours names in its imports; `from jobs import x` is `jobs.x`."""
    file = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not file.exists():
        file = ROOT.joinpath(*module.split("."), "__init__.py")
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {node.module} | {name for name in inside if exists(name)}
    return found


def exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def reached(module: str) -> dict[str, set[str]]:
    """Every module of jobs/ that the fold is made of, with what it imports. Errors and policy only carry values."""
    seen: dict[str, set[str]] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen[name] = imported(name)
            waiting += [one for one in seen[name] if one.startswith("jobs.") and one != "jobs.errors"]
    return seen


def test_the_fold_imports_no_clock_chance_environment_file_or_spark():
    modules = reached("jobs.fold")
    assert {"jobs.windows", "jobs.episodes", "jobs.state", "jobs.detectors.velocity", "jobs.state_versions"} <= modules.keys()
    guilty = {name: {one for one in imports if one.partition(".")[0] in FORBIDDEN} for name, imports in modules.items()}
    assert {name: found for name, found in guilty.items() if found} == {}


def test_the_same_batches_give_the_same_bytes_twice():
    stream = [even([10.0 + i % 3 for i in range(40)]), even([9000.0] * 3, start=1_777_593_600_000_000 + 10**10, first=90)]
    (a, first), (b, second) = fold(stream, SMALL), fold(stream, SMALL)
    assert a.pack(SMALL) == b.pack(SMALL)
    assert [{k: t.to_pylist() for k, t in found.items()} for found in first] == [
        {k: t.to_pylist() for k, t in found.items()} for found in second
    ]


def test_a_foreign_event_is_taken_for_a_known_one_when_32_bits_of_its_id_agree_and_no_fewer():
    """The odds that are stated: 7.5e-9 among 32 remembered ids."""
    calm = even([10.0] * 4)
    twin = int(calm.id[3]) + (1 << 32)
    near = int(calm.id[3]) + (1 << 31)
    assert short_ids(np.array([twin])) == short_ids(calm.id[3:4])
    for foreign, fate in ((twin, "duplicates"), (near, "points")):
        other = replace(even([10.0], start=int(calm.time[3]) + 1, first=9), id=np.array([foreign]))
        before, after = (together(fold(parts, SMALL)[1]).counts[fate] for parts in ([calm], [calm, other]))
        assert after == before + 1, fate
    assert 32 / 2**32 < 7.6e-9
