"""The dispatcher of a test: on a real database, with a clock of its own."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from notify import loop, registry
from notify.registry import Change
from notify.targets import Targets
from store.database import Database
from store.outbox import Message, publish
from store.settings import Settings
from trust.roles import Caller, Role

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADMIN = Caller("main", "key:admin", "Ada", Role.admin)


@dataclass
class Post:
    """The dispatcher of one test: `settings`, its clock, and short ways to set it up."""

    database: Database
    settings: Settings
    now: datetime = START
    targets: Targets = field(default_factory=Targets)

    def put(self, section: str, name: str, **entry: Any) -> None:
        """Make a channel, route, topic or subscription."""
        put = {"channel": registry.put_channel, "route": registry.put_route, "topic": registry.put_topic,
               "subscription": registry.put_subscription}[section]  # fmt: skip
        with self.database.connection() as connection:
            put(Change(connection, ADMIN, self.settings, self.now), name, entry)

    def publish(self, kind: str = "case.opened", subject: str = "case-1", severity: float = 0.9, **more: Any) -> None:
        key = f"{kind} {subject} {self.now.isoformat()}"
        given = {"tenant": "main", "topic": kind.split(".")[0] + "s", "title": f"{kind} {subject}", "entity": "account:1"}
        given |= {"dedupe_key": key} | more
        with self.database.connection() as connection:
            publish(connection, Message(kind=kind, subject=subject, severity=severity, **given))  # type: ignore[arg-type]

    def publish_many(self, count: int) -> None:
        """A storm: `count` cases of as many accounts."""
        with self.database.connection() as connection:
            connection.execute(
                """insert into messages (tenant, topic, kind, subject, entity, severity, title, payload, dedupe_key, created_at)
                select 'main', 'cases', case when n %% 10 = 0 then 'case.escalated' else 'case.opened' end, 'case-' || n,
                  'account:' || n, n / %(count)s::float, 'case of account:' || n, '{}', 'k' || n, %(now)s
                from generate_series(1, %(count)s) n""",
                {"count": count, "now": self.now},
            )

    def step(self) -> int:
        return loop.step(self.database, self.settings, self.targets, lambda: self.now)

    def run(self, seconds: float = 0.0) -> None:
        """Let the time pass, then work until nothing is left to do now."""
        self.now += timedelta(seconds=seconds)
        while self.step():
            pass

    def rows(self, statement: str) -> list[dict[str, Any]]:
        with self.database.connection() as connection:
            return connection.execute(statement.encode()).fetchall()

    def count(self, table: str, where: str = "true") -> int:
        return int(self.rows(f"select count(*) as n from {table} where {where}")[0]["n"])
