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
# The one point that every event has, by its columns …
WATCHED = "kind in ('transaction', 'request', 'measurement')"
KIND = f"""case kind when 'transaction' then {ACCOUNT} when 'request' then {SERVICE} when 'measurement' then {SERIES}
  else {UNWATCHED} end"""
ENTITY = f"""case kind when 'transaction' then {NAMES[ACCOUNT]} when 'request' then {NAMES[SERVICE]}
  when 'measurement' then {NAMES[SERIES]} end"""
VALUE = "case kind when 'transaction' then amount when 'request' then latency_ms when 'measurement' then value end"
# … and the second one of a transaction at a counterparty.
PAIRED = "kind = 'transaction' and counterparty_id is not null"
OTHER = NAMES[COUNTERPARTY]
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
