"""Quarantined records sent round again, byte for byte, to where the settings say that events come from."""

from collections.abc import Callable, Iterator
from typing import Any

from jobs import refusals
from jobs.targets import Folder, Topic, client_options
from store.database import Database, open_database
from store.settings import Settings
from trust.vault import SEALED, Vault, vault_of

MANY = 1_000_000


def send_again(settings: Settings, record_ids: list[str] | None) -> int:
    """Send the named records, or every one that was not retried; how many were sent.

    They are marked after they arrived: a crash in between sends them twice, and the fold knows duplicates by their id.
    """
    from jobs.session import session

    with open_database(settings) as database:
        notes = database.fetch("list_quarantined", tenant=settings.tenant, state=None, limit=MANY)
        wanted = {
            one["record_id"] for one in notes if (one["state"] == "new" if record_ids is None else one["record_id"] in record_ids)
        }
        if not wanted:
            return 0
        spark = session(settings, "conclave quarantine retry")
        try:
            vault = vault_of(settings)
            found = dict(raw_records(spark, settings, wanted, lambda raw: raw if vault is None else opened(vault, database, raw)))
        finally:
            spark.stop()
        target = target_of(settings)
        for raw in found.values():
            target.write(None, raw)
        target.close()
        database.run("mark_retried", record_ids=sorted(found))
    return len(found)


def target_of(settings: Settings) -> Folder | Topic:
    at = settings.source
    if at.kind == "files":
        return Folder(settings.dropping())
    return Topic(at.kafka_servers, at.kafka_topics.split(",")[0].strip(), client_options(at.kafka_options))


def opened(vault: Vault, database: Database, raw: bytes) -> bytes:
    """A sealed record as it came; one whose subject was erased is empty."""
    text = raw.decode("utf-8", "replace")
    if SEALED.fullmatch(text) is None:
        return raw
    clear = vault.open_bytes(database, text)
    return b"" if clear is None else clear


def raw_records(spark: Any, settings: Settings, wanted: set[str], clear: Callable[[bytes], bytes]) -> Iterator[tuple[str, bytes]]:
    """(record id, bytes) of the wanted records that have any bytes; `clear` opens what is sealed."""
    table = spark.read.format("delta").load(settings.quarantine).select("raw", "source", "position", "reason")
    for batch in table.toArrow().to_batches():
        for row in batch.to_pylist():
            raw = clear(bytes(row["raw"] or b""))
            one = refusals.record_id(refusals.place(row["source"], row["position"]), row["reason"], raw)
            if one in wanted and raw:
                yield one, raw
