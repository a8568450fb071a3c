"""Quarantined records sent round again, byte for byte, to where the settings say that events come from."""

from collections.abc import Iterator
from typing import Any

from jobs import refusals
from jobs.targets import Folder, Topic, client_options
from store.database import open_database
from store.settings import Settings

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
            found = dict(raw_records(spark, settings, wanted))
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
        return Folder(settings.landing)
    return Topic(at.kafka_servers, at.kafka_topics.split(",")[0].strip(), client_options(at.kafka_options))


def raw_records(spark: Any, settings: Settings, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
    """(record id, bytes) of the wanted records that have any bytes."""
    table = spark.read.format("delta").load(settings.quarantine).select("raw", "source", "position", "reason")
    for batch in table.toArrow().to_batches():
        for row in batch.to_pylist():
            one = refusals.record_id(refusals.place(row["source"], row["position"]), row["reason"], row["raw"] or b"")
            if one in wanted and row["raw"]:
                yield one, row["raw"]
