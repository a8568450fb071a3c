"""Delta's part of forgetting somebody: rows deleted or unlinked, old versions vacuumed, the transaction log cleaned.

With tokenised identifiers there is nothing of the subject here but a token that leads nowhere and text that no key opens, so the
tables stay as they are. With plain ones the rows go, and with them every older version of both tables: time travel and replay by
version from before the erasure are the price.
"""

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import checkpoint
from jobs.errors import ErasureElsewhere, ErasureTooEarly
from jobs.fence import fenced
from jobs.session import session
from store.database import url
from store.settings import Settings
from trust import files
from trust.erase import STATE, TOKENISED, Line
from trust.subject import Subject

PRICE = "every version from before is vacuumed: no time travel and no replay by version to before this erasure"


def forget(settings: Settings, subject: Subject, spark: SparkSession | None = None) -> list[Line]:
    """Delta's lines of the report. Plain identifiers, and tokenised ones when somebody's log line names the subject in prose,
    need both jobs stopped and detect through with all of bronze.

    Raises JobRunning, ErasureTooEarly, and ErasureElsewhere for plain identifiers in an object store.
    """
    tokenised = settings.privacy.identifiers == "tokenised"
    if settings.storage.root and not tokenised:
        raise ErasureElsewhere(f"({settings.storage.root})")
    if tokenised and not any("delta" in Path(name).parts for name in files.left(settings, subject)):
        return TOKENISED
    with ExitStack() as stack:
        for job in ("ingest", "detect"):
            stack.enter_context(fenced(url(settings), settings.checkpoint(job)))
        own = session(settings, "conclave erase") if spark is None else spark
        if spark is None:
            stack.callback(own.stop)
        lines = [
            line
            for place in (settings.bronze, settings.quarantine)
            if made(place)
            for line in clean(own, settings, place, subject)
        ]
        return [*lines, *(TOKENISED if tokenised else [Line("state", note=STATE.format(name="its name", how=" --days 0"))])]


def clean(spark: SparkSession, settings: Settings, place: str, subject: Subject) -> list[Line]:
    """One table: the subject's rows, then mentions in others' free text, then the versions and log entries of before."""
    name, is_bronze = Path(place).name, place == settings.bronze
    if is_bronze:
        caught_up(spark, settings)
    table = spark.read.format("delta").load(place)
    owns = F.col("account_id") == subject.identifier if is_bronze and subject.kind == "account" else F.lit(False)
    removed = table.where(owns & (F.col("tenant") == subject.tenant)).count()
    names: list[str] = [column for column in ("account_id", "counterparty_id", "message", "raw") if column in table.columns]
    unlinked = mentioning(table, subject, names).where(~F.coalesce(owns, F.lit(False))).count()
    if removed or unlinked:
        rewrite(spark, place, subject, owns, names if is_bronze else ["raw"])
        vacuum(spark, place)
        blot_log(Path(place), subject)
    return [Line(f"Delta {name}", removed, unlinked, note=PRICE)] if removed or unlinked else []


def mentioning(table: DataFrame, subject: Subject, names: list[str]) -> DataFrame:
    said = [F.col(name).cast("string").rlike(subject.pattern) | whole(F.col(name), subject) for name in names]
    if "attributes" in table.columns:
        said.append(F.to_json("attributes").rlike(subject.pattern))
    mention = F.lit(False)
    for one in said:
        mention = mention | F.coalesce(one, F.lit(False))
    return table.where(mention & (F.col("tenant") == subject.tenant))


def whole(column: Column, subject: Subject) -> Column:
    return column.cast("string") == subject.identifier


def rewrite(spark: SparkSession, place: str, subject: Subject, owns: Column, names: list[str]) -> None:
    """One DELETE of the subject's own rows, one UPDATE of the others that name it."""
    from delta.tables import DeltaTable

    table = DeltaTable.forPath(spark, place)
    tenant = F.col("tenant") == subject.tenant
    table.delete(tenant & owns)
    held = table.toDF()
    for name in names:
        column = F.col(name).cast("string")
        marked = F.when(whole(column, subject), F.lit(subject.mark)).otherwise(_marked(column, subject))
        changed = marked.cast("binary") if name == "raw" else marked
        table.update(tenant & (column.rlike(subject.pattern) | whole(column, subject)), {name: changed})
    if "attributes" in held.columns:
        values = F.transform_values("attributes", lambda _, value: _marked(value, subject))
        table.update(tenant & F.to_json("attributes").rlike(subject.pattern), {"attributes": values})


def _marked(column: Column, subject: Subject) -> Column:
    return F.regexp_replace(column, subject.pattern, f"$1{subject.mark}")


def caught_up(spark: SparkSession, settings: Settings) -> None:
    """Detect must not have to read what vacuum takes away; raises ErasureTooEarly."""
    from delta.tables import DeltaTable

    place, commits = settings.checkpoint("detect"), Path(settings.checkpoint("detect"), "commits")
    done = [int(file.name) for file in commits.iterdir() if file.name.isdigit()] if commits.exists() else []
    ends: list[Any] = checkpoint.offsets(spark, place, max(done)) if done else []
    appended = DeltaTable.forPath(spark, settings.bronze).history().where("operation in ('WRITE', 'STREAMING UPDATE')")
    newest = appended.agg(F.max("version")).collect()[0][0]
    read = int(ends[0]["reservoirVersion"]) - (ends[0].get("index", -1) < 0) if ends else -1
    if newest is not None and read < newest:
        raise ErasureTooEarly


def vacuum(spark: SparkSession, place: str) -> None:
    """Every file that the newest version does not need goes now."""
    for_now = {
        "spark.databricks.delta.retentionDurationCheck.enabled": "false",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",  # Spark's 10,000 tasks list a table of one folder
    }
    before = {name: spark.conf.get(name, None) for name in for_now}
    try:
        for name, value in for_now.items():
            spark.conf.set(name, value)
        spark.sql(f"vacuum delta.`{place}` retain 0 hours")
    finally:
        for name, held in before.items():
            spark.conf.unset(name) if held is None else spark.conf.set(name, held)


def blot_log(place: Path, subject: Subject) -> None:
    """The log of tables made by an older version holds the lowest and highest names of each file: stars of the same length."""
    pattern = re.compile(subject.pattern)
    for file in place.glob("_delta_log/*.json"):
        text = file.read_text(encoding="utf-8")
        blotted = pattern.sub(lambda match: (match[1] or "") + "*" * (match.end() - match.end(1)), text)
        if blotted != text:
            file.write_text(blotted, encoding="utf-8")
            file.with_name(f".{file.name}.crc").unlink(missing_ok=True)


def made(place: str) -> bool:
    return Path(place, "_delta_log").exists()
