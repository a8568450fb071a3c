"""The servers that a job talks to: its database, with rights, schema and clock, and Kafka."""

from datetime import datetime
from typing import Any

from jobs.startup.finding import Finding
from store import database as databases
from store import embedded, migrations
from store.errors import DatabaseAway
from store.settings import Settings

PATIENCE_S = 2.0
CLOCKS_APART_S = 30.0
STARTING = ("starting up", "shutting down", "not yet accepting", "recovery")  # libpq has no SQLSTATE for a failed connection


def database(settings: Settings, now: datetime) -> list[Finding]:
    """`now`: this machine's clock. A server that is only starting is waited for by the job itself."""
    if databases.is_embedded(settings) and not embedded.exists(settings.home):
        return [Finding("database", "ok", f"embedded Postgres, made in {settings.home}/postgres at the first start")]
    address = databases.url(settings)
    try:
        with databases.connect(address) as connection:
            server = databases.fetch(connection, "startup_server")[0]
            about = databases.fetch(connection, "status_server")[0]
            rights = databases.fetch(connection, "startup_rights")[0]
            left = migrations.pending(migrations.known(), migrations.applied(connection))
    except DatabaseAway as error:
        if any(word in str(error) for word in STARTING):
            return [Finding("database", "warn", "the server is starting", "wait for it; a job does")]
        raise
    kind = "embedded Postgres" if databases.is_embedded(settings) else "Postgres"
    return [
        Finding("database", "ok", f"{kind} {about['version']} at {databases.place_of(address)}"),
        extensions(about["extensions"] or {}, has_vectors=server["has_vectors"]),
        role(server, rights),
        schema(len(left), makes_tables=rights["makes_tables"]),
        clock(server["now_s"] - now.timestamp(), settings.ingest.max_future_s),
    ]


def extensions(installed: dict[str, str], *, has_vectors: bool) -> Finding:
    if "vector" not in installed and not has_vectors:
        return Finding(
            "pgvector", "fail", "this server has no pgvector", "install pgvector on the server, or use the embedded one"
        )
    told = [f"{name} {installed[name]}" for name in ("vector", "timescaledb") if name in installed] or ["vector available"]
    return Finding(
        "pgvector", "ok", ", ".join(told) if "timescaledb" in installed else f"{told[0]}; plain tables, no timescaledb"
    )


def role(server: dict[str, Any], rights: dict[str, Any]) -> Finding:
    """Jobs serve all tenants and work as the schema's owner."""
    name = server["role"]
    if server["reads_only"]:
        return Finding("role", "fail", "this server only reads (a standby?)", "name the primary in CONCLAVE_DATABASE_URL")
    if rights["sees_one_tenant"] or not rights["writes"]:
        said = f"{name} does not own Conclave's tables, so it sees or writes too little"
        return Finding("role", "fail", said, "name their owner in CONCLAVE_DATABASE_URL")
    if not rights["acts_for_tenants"]:
        return Finding("role", "fail", f"{name} is no member of conclave_app", f"run as superuser: grant conclave_app to {name}")
    return Finding("role", "ok", f"{name} may do what jobs do")


def schema(left: int, *, makes_tables: bool) -> Finding:
    if not left:
        return Finding("schema", "ok", f"migrated to {migrations.known()[-1].name}")
    if not makes_tables:
        said = f"{left} migrations to apply, and this login may make no tables"
        return Finding("schema", "fail", said, "run `conclave migrate` as the schema's owner")
    return Finding("schema", "warn", f"{left} migrations to apply", "run `conclave migrate`; the jobs also do it when they start")


def clock(ahead_s: float, max_future_s: float) -> Finding:
    """The database's clock against this machine's. Ingest judges by this machine's what lies in the future."""
    said = f"the database's clock is {abs(ahead_s):,.0f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    if abs(ahead_s) > max_future_s:
        return Finding("clock", "fail", said, "set both by NTP (timedatectl set-ntp true): events would be taken for future ones")
    if abs(ahead_s) > CLOCKS_APART_S:
        return Finding("clock", "warn", said, "set both by NTP (timedatectl set-ntp true): leases and ages are reckoned by them")
    return Finding("clock", "ok", "this machine's and the database's agree")


def kafka(settings: Settings) -> Finding:
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    from jobs.targets import client_options

    options: dict[str, str | int | float | bool] = {"bootstrap.servers": settings.source.kafka_servers, "log_level": 0}
    options.update(client_options(settings.source.kafka_options))
    wanted = {topic.strip() for topic in settings.source.kafka_topics.split(",")} - {""}
    try:
        there = set(AdminClient(options).list_topics(timeout=PATIENCE_S).topics)
    except KafkaException as error:
        fix = "start the broker, or set CONCLAVE_SOURCE__KAFKA_SERVERS and CONCLAVE_SOURCE__KAFKA_OPTIONS"
        return Finding("kafka", "fail", f"{settings.source.kafka_servers} does not answer ({error.args[0].str()})", fix)
    if lacking := sorted(wanted - there):
        fix = f"create it (`conclave topics create {lacking[0]} …`), or set CONCLAVE_SOURCE__KAFKA_TOPICS"
        return Finding("kafka", "fail", f"no topic {', '.join(lacking)}", fix)
    return Finding("kafka", "ok", f"{settings.source.kafka_servers}, topics {', '.join(sorted(wanted))}")
