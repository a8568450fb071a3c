"""The named queries of store/queries/*.sql.

A query starts with `-- name: take_cases`, then a comment line saying its purpose, then one statement with %(named)s
parameters (a literal percent sign is written %%).
"""

import re
from functools import cache
from pathlib import Path

from store.errors import UnknownQuery

FOLDER = Path(__file__).parent / "queries"
HEAD = re.compile(r"^-- name: *(\w+) *$", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """The queries of one file by name.

    >>> parse('''-- name: one
    ... -- Just one.
    ... select 1;''')
    {'one': 'select 1'}
    """
    parts = HEAD.split(text)
    return {name: _statement(body) for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def _statement(body: str) -> str:
    lines = [line for line in body.splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().removesuffix(";").strip()


@cache
def queries() -> dict[str, str]:
    """All queries by name; a name used twice is an error, since one of the two would silently win."""
    found: dict[str, str] = {}
    for file in sorted(FOLDER.glob("*.sql")):
        for name, statement in parse(file.read_text(encoding="utf-8")).items():
            if name in found:
                raise UnknownQuery(f"`{name}` is named twice; the second time in {file.name}.")
            found[name] = statement
    return found


def sql(name: str) -> str:
    """The statement called `name`; raises UnknownQuery."""
    try:
        return queries()[name]
    except KeyError:
        raise UnknownQuery(f"Wanted: `{name}`.") from None
