"""Who calls whom, from a CSV file with the columns caller and callee into the database."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import BadTopology

if TYPE_CHECKING:
    from store.database import Database

Edges = list[tuple[str, str]]


def load(database: "Database", path: Path, tenant: str = "main") -> int:
    """Replace the tenant's edges with the file's, in one transaction; how many there are.

    Raises BadTopology (the old edges then stay), OSError when there is no such file.
    """
    from store.database import run

    with path.open(newline="", encoding="utf-8-sig") as file:
        edges = read(file)
    with database.connection() as connection:
        run(connection, "clear_edges", tenant=tenant)
        callers, callees = [caller for caller, _ in edges], [callee for _, callee in edges]
        return run(connection, "put_edges", tenant=tenant, callers=callers, callees=callees)


def read(lines: Iterable[str]) -> Edges:
    """The file's edges, each once, in its order.

    >>> read(["caller,callee", "gateway,catalog", "gateway,catalog"])
    [('gateway', 'catalog')]
    """
    rows = csv.DictReader(lines)
    if not {"caller", "callee"} <= set(rows.fieldnames or ()):
        raise BadTopology("its first line must name the columns caller and callee.")
    edges: dict[tuple[str, str], None] = {}
    for row in rows:
        edge = ((row["caller"] or "").strip(), (row["callee"] or "").strip())
        if not all(edge):
            raise BadTopology(f"line {rows.line_num} lacks a caller or a callee.")
        edges[edge] = None
    return list(edges)
