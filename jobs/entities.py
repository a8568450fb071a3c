"""Which entities an event feeds and what they are called, as Spark SQL (millions of rows) and as Python (the few flagged)."""

from collections.abc import Mapping
from typing import Any

from jobs.points import ACCOUNT, COUNTERPARTY, KIND_NAMES, SERIES, SERVICE, UNWATCHED

CURRENCY = "coalesce(concat('/', currency), '')"
NAMES = {
    ACCOUNT: f"concat('account:', account_id, {CURRENCY})",
    COUNTERPARTY: f"concat('counterparty:', counterparty_id, {CURRENCY})",
    SERVICE: "concat('service:', service)",
    SERIES: "concat('series:', service, '/', metric)",
}
# The one point that every event has, and the second one of a transaction at a counterparty.
FIRST = f"""case kind
  when 'transaction' then struct(cast({ACCOUNT} as byte) as kind, {NAMES[ACCOUNT]} as entity, amount as value)
  when 'request' then struct(cast({SERVICE} as byte) as kind, {NAMES[SERVICE]} as entity, latency_ms as value)
  when 'measurement' then struct(cast({SERIES} as byte) as kind, {NAMES[SERIES]} as entity, value as value)
  else struct(cast({UNWATCHED} as byte) as kind, '' as entity, cast(null as double) as value) end"""
SECOND = f"""case when kind = 'transaction' and counterparty_id is not null
  then struct(cast({COUNTERPARTY} as byte) as kind, {NAMES[COUNTERPARTY]} as entity, amount as value) end"""
CONTENT = (
    """xxhash64(event_time, kind, account_id, amount, currency, counterparty_id, service, status, latency_ms, metric, value)"""
)


def name(kind: int, event: Mapping[str, Any]) -> tuple[str, str, str]:
    """(entity, subject, qualifier) of an event's point of this kind.

    >>> name(ACCOUNT, {"account_id": "A1", "currency": "EUR"})
    ('account:A1/EUR', 'A1', 'EUR')
    """
    subject = str(event[{ACCOUNT: "account_id", COUNTERPARTY: "counterparty_id", SERVICE: "service", SERIES: "service"}[kind]])
    qualifier = event.get("metric" if kind == SERIES else "currency") if kind != SERVICE else None
    entity = f"{KIND_NAMES[kind]}:{subject}" + ("" if qualifier is None else f"/{qualifier}")
    return entity, subject, qualifier or ""
