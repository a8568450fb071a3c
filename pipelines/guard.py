"""No change may leave a set behind that cannot run: each is checked, in its own transaction, by compiling what would act."""

from collections.abc import Mapping
from typing import Any

from pipelines import specs
from pipelines.errors import Unknown
from pipelines.expression import compile_expression
from pipelines.fields import EVENT, Scope
from pipelines.pins import live_contents, names_only
from pipelines.plan import Listing, compiled, fields_of, step_of
from store.database import Connection, fetch

ALL = 100_000


def check_live(connection: Connection, tenant: str) -> None:
    """Raises PlanBroken when what is live after this transaction could not be compiled; the detect job compiles the same."""
    held = {name: one for name, one in live_contents(connection).items() if name == tenant}
    compiled(held, names_only(connection))


def check_spec(connection: Connection, tenant: str, raw: dict[str, Any], name: str = "draft") -> Any:
    """The configuration as a value, compiled once with all lists and enrichments there are; raises BadSpec or BadExpression."""
    spec = specs.read(raw)
    step_of(name, 0, spec, listings(connection, tenant), scope_of(connection, tenant, spec))
    if spec.kind == "http":
        compile_answer(spec.hit_when)
    return spec


def check_filter(connection: Connection, tenant: str, text: str) -> None:
    """Raises BadExpression."""
    if text:
        compile_expression(text, Scope(EVENT, frozenset(listings(connection, tenant))))


def compile_answer(text: str) -> Any:
    """`hit_when` of an http processor, which looks into JSON of any shape: cel-python's own program over `answer`."""
    import celpy

    from pipelines.syntax import parse

    parse(text)
    environment = celpy.Environment()
    return environment.program(environment.compile(text))


def scope_of(connection: Connection, tenant: str, spec: Any) -> Scope:
    """What an expression of this tenant may name, wherever it will stand."""
    held = listings(connection, tenant)
    return Scope(fields_of(spec), frozenset(held), enrichments(connection, tenant, held))


def listings(connection: Connection, tenant: str) -> dict[str, Listing]:
    """The tenant's live lists by name, without their items."""
    load = names_only(connection)
    rows = fetch(connection, "all_lists", tenant=tenant, after="", limit=ALL)
    return {row["list"]: load(tenant, row["list"], row["live_version"]) for row in rows if row["live_version"] is not None}


def enrichments(connection: Connection, tenant: str, held: Mapping[str, Listing]) -> dict[str, tuple[str, ...]]:
    """Every enrichment that some version of a processor makes, with its columns."""
    rows = [row["spec"] for row in fetch(connection, "specs_with_lists", tenant=tenant) if row["spec"]["kind"] == "enrich"]
    return {one["as"]: tuple(held[one["list"]].columns) for one in rows if one["list"] in held}


def known(rows: list[dict[str, Any]], what: str) -> dict[str, Any]:
    """The one row; raises Unknown."""
    if not rows:
        raise Unknown(f"`{what}`.")
    return rows[0]
