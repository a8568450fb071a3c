"""Data files into a Delta table by Delta's own transaction, each batch once: what speaks to Delta's log through the JVM."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

LOOKED_BACK = 1_000  # commits in which a batch's own is sought


def has(spark: SparkSession, table: str, query_id: str, batch_id: int) -> bool:
    """Whether the table has this batch of this query already."""
    held = _log(spark, table).update(False, _none(spark), _none(spark)).transactions().get(query_id)
    return bool(held.isDefined() and held.get() >= batch_id)


def arrived(spark: SparkSession, table: str, query_id: str, batch_id: int) -> datetime | None:
    """When a batch that the table has was taken, as its commit says; None when that is not to be found.

    A batch that is run again must judge by the same clock, or a record from the future would be in no table, or in two.
    """
    prefix = mark(query_id, batch_id, "")
    commits = DeltaTable.forPath(spark, table).history(LOOKED_BACK).where(F.col("userMetadata").startswith(prefix))
    found = commits.select("userMetadata").first()
    return None if found is None else datetime.fromisoformat(found[0].removeprefix(prefix))


def mark(query_id: str, batch_id: int, now: object) -> str:
    """What a commit says of the batch it holds."""
    return f"{query_id}/{batch_id}/{now}"


def append(spark: SparkSession, table: str, files: Iterable[dict[str, Any]], query_id: str, batch_id: int, now: datetime) -> None:
    """One commit of these `add`s and of the batch's transaction key; nothing when the table has the batch already."""
    jvm: Any = spark._jvm
    delta = jvm.org.apache.spark.sql.delta
    transaction = _log(spark, table).startTransaction(_none(spark), _none(spark))
    if transaction.txnVersion(query_id) >= batch_id:
        return
    files = list(files)
    transaction.registerSQLMetrics(spark._jsparkSession, _counted(spark, files))
    actions = jvm.java.util.ArrayList()
    for action in ({"txn": {"appId": query_id, "version": batch_id}}, *({"add": one} for one in files)):
        actions.add(delta.actions.Action.fromJson(json.dumps(action)))
    said = jvm.scala.Option.apply(mark(query_id, batch_id, now.isoformat()))
    mode = jvm.org.apache.spark.sql.streaming.OutputMode.Append()
    operation = getattr(delta, "DeltaOperations$StreamingUpdate")(mode, query_id, batch_id, said)
    transaction.commit(jvm.org.apache.spark.api.python.PythonUtils.toSeq(actions), operation)


def _counted(spark: SparkSession, files: list[dict[str, Any]]) -> Any:
    """What the commit's entry in the table's history says: files, rows and bytes, as for what Spark wrote itself."""
    jvm: Any = spark._jvm
    rows = sum(json.loads(one["stats"])["numRecords"] for one in files)
    told = {"numAddedFiles": len(files), "numOutputRows": rows, "numOutputBytes": sum(one["size"] for one in files)}
    metrics = jvm.java.util.HashMap()
    for name, value in told.items():
        metric = jvm.org.apache.spark.sql.execution.metric.SQLMetrics.createMetric(spark._jsc.sc(), name)
        metric.set(value)
        metrics.put(name, metric)
    return jvm.org.apache.spark.api.python.PythonUtils.toScalaMap(metrics)


def _log(spark: SparkSession, table: str) -> Any:
    jvm: Any = spark._jvm
    return jvm.org.apache.spark.sql.delta.DeltaLog.forTable(spark._jsparkSession, table)


def _none(spark: SparkSession) -> Any:
    jvm: Any = spark._jvm
    return jvm.scala.Option.apply(None)
