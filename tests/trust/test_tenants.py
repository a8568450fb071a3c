"""Every table that has a tenant, taken from the catalogue: one tenant reads, writes, changes and deletes nothing of another's."""

from typing import Any

import psycopg
import pytest
from psycopg import sql

from store.database import Connection, Database, fetch
from store.errors import DatabaseError, DatabaseForbidden

SAMPLES: dict[str, Any] = {
    "bigint": 1, "integer": 1, "smallint": 1, "double precision": 1.5, "real": 1.5, "numeric": 1, "boolean": True, "bytea": b"x",
    "timestamp with time zone": "2026-01-01T00:00:00Z", "date": "2026-01-01", "interval": "1 s", "jsonb": "{}", "json": "{}",
    "text[]": [], "bigint[]": [], "integer[]": [], "double precision[]": [], "tsvector": "x", "xid8": "1",
}  # fmt: skip
COLUMNS = """select a.attname as name, format_type(a.atttypid, a.atttypmod) as type from pg_attribute a
  where a.attrelid = %(table)s::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
  order by a.attnum"""
Row = dict[str, Any]


def sample(name: str, kind: str, tenant: str) -> Any:
    """A value of the type that no other tenant's row has, where the type allows it."""
    if name == "tenant":
        return tenant
    if kind.startswith("vector"):
        return "[" + ",".join(["0"] * int(kind.removeprefix("vector(").rstrip(")"))) + "]"
    if kind in ("text", "character varying"):
        return f"{name} of {tenant}"
    value = SAMPLES[kind]
    return value + len(tenant) if kind in ("bigint", "integer", "double precision") else value


def tables(connection: Connection) -> list[str]:
    return [row["table"] for row in fetch(connection, "tenant_tables")]


def seed(connection: Connection, table: str, tenant: str) -> Row:
    columns = connection.execute(COLUMNS.encode(), {"table": f'"{table}"'}).fetchall()
    row = {column["name"]: sample(column["name"], column["type"], tenant) for column in columns}
    connection.execute(insert(table, row), row)
    return row


def insert(table: str, row: Row) -> sql.Composed:
    names, values = sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
    return sql.SQL("insert into {} ({}) values ({})").format(sql.Identifier(table), names, values)


@pytest.fixture
def seeded(database: Database) -> dict[str, Row]:
    """A row of `theirs` and one of `us` in every table; table → the row of `theirs`. Row-level security is as migrated."""
    loosen = """select format('alter table %I drop constraint %I cascade', r.relname, c.conname) as statement
      from pg_constraint c join pg_class r on r.oid = c.conrelid
      where r.relnamespace = 'public'::regnamespace and c.contype in ('c', 'f') and c.conparentid = 0 order by c.contype desc"""
    with database.connection() as connection:
        for row in connection.execute(loosen.encode()).fetchall():
            connection.execute(row["statement"])
        connection.execute("set local session_replication_role = replica")  # no triggers while rows of no meaning are made
        rows = {}
        for table in tables(connection):
            seed(connection, table, "us")
            rows[table] = seed(connection, table, "theirs")
    return rows


def attempt(database: Database, tenant: str, statement: sql.Composable, values: Row | None = None) -> int | None:
    """Rows touched as `tenant` under the application's role; None when Postgres refused."""
    try:
        with database.of(tenant).connection() as connection:
            return connection.execute(statement, values).rowcount
    except DatabaseForbidden:
        return None


def test_nothing_of_another_tenant_can_be_touched(database: Database, seeded: dict[str, Row]) -> None:
    assert len(seeded) > 40
    theirs, ours = "where tenant = 'theirs'", "where tenant = 'us'"
    for table, row in seeded.items():
        name = sql.Identifier(table)
        changed = sql.Identifier(next((column for column in row if column != "tenant"), "tenant"))

        def ask(words: str, values: Row | None = None, *, held: Any = (name, changed)) -> int | None:
            return attempt(database, "us", sql.SQL(words).format(table=held[0], column=held[1]), values)

        assert ask(f"select 1 from {{table}} {theirs}") == 0, table
        assert ask("select 1 from {table}") == 1, f"{table}: sees its own row and no other"
        assert ask(f"update {{table}} set {{column}} = {{column}} {theirs}") in (0, None), table
        assert ask(f"delete from {{table}} {theirs}") in (0, None), table
        assert ask(f"update {{table}} set tenant = 'theirs' {ours}") is None, f"{table}: a row was given away"
        assert attempt(database, "us", insert(table, row), row) is None, f"{table}: a row was put under another tenant"
        assert attempt(database, "", sql.SQL("select 1 from {}").format(name)) == 0, f"{table}: seen without a tenant"
    with database.connection() as connection:
        for table in seeded:
            left = connection.execute(sql.SQL("select tenant from {} order by 1").format(sql.Identifier(table))).fetchall()
            assert [row["tenant"] for row in left] == ["theirs", "us"], table


def test_views_show_no_other_tenant(database: Database, seeded: dict[str, Row]) -> None:
    with database.connection() as connection:
        views = connection.execute(
            "select table_name as t from information_schema.columns join information_schema.views "
            "using (table_schema, table_name) where table_schema = 'public' and column_name = 'tenant'"
        ).fetchall()
    assert views
    for view in views:
        look = sql.SQL("select 1 from {} where tenant <> 'us'").format(sql.Identifier(view["t"]))
        assert attempt(database, "us", look) == 0, view["t"]


def test_what_has_no_tenant_is_read_only(database: Database) -> None:
    with database.connection() as connection:
        every = [row["t"] for row in connection.execute("select tablename as t from pg_tables where schemaname = 'public'")]
        system = sorted(set(every) - set(tables(connection)))
    assert {"batches", "schema_migrations"} <= set(system)
    for table in system:
        assert attempt(database, "us", sql.SQL("delete from {}").format(sql.Identifier(table))) is None, table


def test_a_tenant_cannot_leave_its_role(database: Database) -> None:
    with database.of("us").connection() as connection:
        connection.execute("select set_config('conclave.tenant', 'us', true)")
        for words in ("alter table cases disable row level security", "drop policy tenant_only on cases",
                      "create table mine (x text)", "alter role conclave_app bypassrls", "truncate cases cascade"):  # fmt: skip
            with pytest.raises(psycopg.Error), connection.transaction():
                connection.execute(words.encode())


def test_a_pooled_connection_forgets_its_tenant(database: Database) -> None:
    with database.of("us").connection():
        pass
    with database.connection() as connection:
        row = connection.execute("select current_user as who, current_tenant() as tenant").fetchall()[0]
    assert row["who"] != "conclave_app"
    assert row["tenant"] is None


def test_a_table_without_its_guard_would_be_found(database: Database, seeded: dict[str, Row]) -> None:
    with database.connection() as connection:
        connection.execute("alter table alerts disable row level security")
    with pytest.raises(AssertionError, match="alerts"):
        test_nothing_of_another_tenant_can_be_touched(database, seeded)
    assert issubclass(DatabaseForbidden, DatabaseError)


def as_reader(database: Database, statement: str, tenant: str = "") -> list[Row]:
    with database.connection() as connection:
        connection.execute(
            "select set_config('role', 'conclave_reader', true), set_config('conclave.tenant', %s, true)", [tenant]
        )
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []


@pytest.mark.parametrize("table", ["api_keys", "answers", "vault_keys", "vault_subjects", "erasures"])
def test_people_with_their_own_tools_read_no_key(database: Database, table: str) -> None:
    with pytest.raises(DatabaseForbidden):
        as_reader(database, f"select * from {table}", "main")


def test_people_with_their_own_tools_read_their_tenant_only(database: Database) -> None:
    with database.connection() as connection:
        for tenant in ("main", "theirs"):
            connection.execute(
                "insert into schedules (tenant, schedule_id, job, every_s) values (%s, 'x', 'digest', 60)", [tenant]
            )
    assert as_reader(database, "select tenant from schedules") == []
    assert as_reader(database, "select tenant from schedules", "main") == [{"tenant": "main"}]
    with pytest.raises(DatabaseForbidden):
        as_reader(database, "delete from schedules", "main")
