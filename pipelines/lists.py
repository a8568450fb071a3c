"""Data lists: what allow, deny and watch lists hold, and the tables that enrich. A version is written once; the newest acts."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pipelines import specs
from pipelines.errors import BadList, Needed
from pipelines.guard import check_live, known
from store.database import Connection, Queries, fetch, run
from store.settings import Settings
from trust import audit
from trust.vault import Vault

LONGEST = 200
MOST_COLUMNS = 20
Items = Mapping[str, Mapping[str, str]]  # key → column → text
Protect = Callable[[str, list[str]], Mapping[str, str]]  # what the keys are, keys → what events hold in their place


def from_csv(text: str) -> dict[str, dict[str, str]]:
    """Items of a CSV file: the first column is the key, the header names the others; one column needs no header named `key`.

    Raises BadList naming the line.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))) if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise BadList(f"it is no CSV ({error}).") from None
    if not rows:
        raise BadList("the file is empty.")
    header = [cell.strip() for cell in rows[0]]
    body = rows if len(header) == 1 and header[0] != "key" else rows[1:]
    items: dict[str, dict[str, str]] = {}
    for number, row in enumerate(body, len(rows) - len(body) + 1):
        cells = [cell.strip() for cell in row]
        if len(cells) != len(header):
            raise BadList(f"row {number} has {len(cells)} cells, the header has {len(header)}.")
        if cells[0] in items:
            raise BadList(f"row {number}: the key is there twice.")
        items[cells[0]] = dict(zip(header[1:], cells[1:], strict=True))
    return items


def given(items: Iterable[str] | None, table: Items | None, csv_text: str | None) -> Iterable[str] | Items:
    """What was sent in one of three forms; raises BadList when it is none or several."""
    sent = [one for one in (items, table, csv_text) if one is not None]
    if len(sent) != 1:
        raise BadList("give its items, a table or a CSV text: one of them.")
    return from_csv(csv_text) if csv_text is not None else sent[0]


def checked(items: Iterable[str] | Items, most: int) -> dict[str, dict[str, str]]:
    """Items in order of their keys; raises BadList for too many, too long, or columns that do not fit."""
    given = {key: dict(columns) for key, columns in items.items()} if isinstance(items, Mapping) else {key: {} for key in items}
    if len(given) > most:
        raise BadList(f"it has {len(given):,} items; at most {most:,} are taken (pipelines.list_items).")
    columns = columns_of(given)
    for name in columns:
        if not specs.COLUMN.fullmatch(name):
            raise BadList(f"the column `{name[:60]}`: a column is named with lower-case letters, digits and `_`.")
    for key, held in given.items():
        if not key or any(len(text) > LONGEST or "\0" in text for text in (key, *held.values())):
            raise BadList(f"an item is empty, holds a zero byte or is longer than {LONGEST} characters.")
        if list(held) != columns:
            raise BadList("every item needs the same columns.")
    return dict(sorted(given.items()))


def columns_of(items: Items) -> list[str]:
    first = next(iter(items.values()), {})
    if len(first) > MOST_COLUMNS:
        raise BadList(f"it has {len(first)} columns; at most {MOST_COLUMNS} are taken.")
    return list(first)


def put_list(
    connection: Connection, tenant: str, name: str, items: Iterable[str] | Items, *, actor: str, why: str = "",
    description: str = "", holds: str = "other", protect: Protect | None = None, most: int = 200_000,
) -> int:  # fmt: skip
    """A new version of a list, live from the stream's next batch on; the list is made when there is none.

    `protect` turns keys into what events hold in their place, where identifiers are tokenised.
    Raises BadName, BadList, PlanBroken.
    """
    given = checked(items, most)
    columns = columns_of(given)
    run(connection, "put_list", tenant=tenant, list=specs.check_name(name), description=description, holds=holds, columns=columns,
        actor=actor)  # fmt: skip
    held = fetch(connection, "lock_list", tenant=tenant, list=name)[0]
    if protect is not None and held["holds"] != "other":
        tokens = protect(held["holds"], list(given))
        given = dict(sorted((tokens.get(key, key), columns) for key, columns in given.items()))
    version = int(held["newest"]) + 1
    sha256 = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
    about = {"version": version, "items": len(given), "sha256": sha256, "why": why}
    run(connection, "put_list_version", tenant=tenant, list=name, actor=actor, **about)
    data = [json.dumps(columns) for columns in given.values()]
    run(connection, "put_items", tenant=tenant, list=name, version=version, keys=list(given), data=data)
    run(connection, "set_live_list", tenant=tenant, list=name, version=version, columns=columns)
    check_live(connection, tenant)
    audit.record(connection, tenant, actor, "list.put", name, about)
    return version


def set_live_list(connection: Connection, tenant: str, name: str, version: int, *, actor: str, why: str = "") -> None:
    """Go back (or forth) to another version of a list; raises Unknown, PlanBroken."""
    known(fetch(connection, "lock_list", tenant=tenant, list=name), name)
    page = fetch(connection, "page_list", tenant=tenant, list=name, version=version, after="", limit=1)
    versions = fetch(connection, "versions_of_list", tenant=tenant, list=name, limit=100_000)
    known([one for one in versions if one["version"] == version], f"{name} version {version}")
    columns = list(page[0]["data"]) if page else None
    run(connection, "set_live_list", tenant=tenant, list=name, version=version, columns=columns)
    check_live(connection, tenant)
    audit.record(connection, tenant, actor, "list.live", name, {"version": version, "why": why})


def remove_list(connection: Connection, tenant: str, name: str, *, actor: str) -> None:
    """Forget a list; raises Unknown, and Needed naming the processors that look at it."""
    known(fetch(connection, "lock_list", tenant=tenant, list=name), name)
    if users := users_of(connection, tenant, name):
        raise Needed(users)
    run(connection, "delete_list", tenant=tenant, list=name)
    check_live(connection, tenant)
    audit.record(connection, tenant, actor, "list.delete", name)


def users_of(connection: Connection, tenant: str, name: str) -> list[str]:
    """Processors and segments that name the list."""
    found = {f"processor {row['processor']}" for row in fetch(connection, "specs_with_lists", tenant=tenant)
             if row["spec"].get("list") == name or names_list(str(row["spec"].get("when", "")), name)}  # fmt: skip
    segments = fetch(connection, "list_segments", tenant=tenant, after="", limit=100_000)
    return sorted(found | {f"segment {row['segment']}" for row in segments if names_list(row["filter"], name)})


def names_list(text: str, name: str) -> bool:
    return f"lists.{name}" in text or f'lists["{name}"]' in text or f"lists['{name}']" in text


def protector(settings: Settings, queries: Queries, tenant: str) -> Protect | None:
    """What turns identifiers into tokens where events hold tokens; None where they hold the identifiers themselves."""
    if settings.privacy.identifiers != "tokenised":
        return None
    vault = Vault.of(settings, tenant)

    def protect(kind: str, keys: list[str]) -> dict[str, Any]:
        return {key: subject.token for key, subject in vault.tokens(queries, kind, keys).items()}

    return protect
