"""The Spark session: jars, Delta, RocksDB state, and Python workers that are this Python."""

import os
import sys
from pathlib import Path
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

from jobs import jars, storage
from store.settings import Settings

LOOPBACK = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
KEPT_MEMORY = {  # glibc in Python workers: memory of a batch is kept for the next, page faults were a third of the fold
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_TOP_PAD_": str(16 << 20),
}
LOGGING = f"-Dlog4j2.configurationFile=file:{Path(__file__).parent / 'log4j2.properties'}"


def session(settings: Settings, name: str) -> SparkSession:
    """The session of this process, made with the settings. Under spark-submit its master and jars are kept."""
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    master = settings.spark.master or ("" if submitted else "local[*]")
    builder = SparkSession.builder.appName(name)
    if master:
        builder = builder.master(master)
    local = LOOPBACK if master.startswith("local") else {}
    if local:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    told = {**options(settings), **storage.options(settings.storage), **local, **settings.spark.options}
    for key, value in told.items():
        builder = builder.config(key, value)
    if submitted:
        add_jars_to_driver(settings.storage.scheme)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def add_jars_to_driver(scheme: str) -> None:
    """Under spark-submit the driver's JVM runs already: Delta is put on its class path, so that no `--jars` need be given."""
    gateway: Any = SparkContext._gateway
    if gateway is None:
        SparkContext._ensure_initialized()
        gateway = SparkContext._gateway
    loader = gateway.jvm.java.lang.Thread.currentThread().getContextClassLoader()
    for path in jars.ensure(schemes=[scheme]):
        loader.addURL(gateway.jvm.java.net.URI(path.as_uri()).toURL())


def options(settings: Settings) -> dict[str, str]:
    """Every Spark setting that Conclave needs."""
    state = "spark.sql.streaming.stateStore"
    return {
        "spark.jars": ",".join(str(path) for path in jars.ensure(schemes=[settings.storage.scheme])),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        "spark.pyspark.python": os.environ["PYSPARK_PYTHON"],
        "spark.driver.extraJavaOptions": LOGGING,
        "spark.driver.memory": settings.spark.driver_memory,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": str(settings.spark.shuffle_partitions),
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(settings.spark.arrow_rows),
        "spark.sql.execution.pythonUDF.arrow.enabled": "true",
        "spark.databricks.delta.snapshotPartitions": "2",
        f"{state}.providerClass": "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider",
        f"{state}.rocksdb.changelogCheckpointing.enabled": "true",
        f"{state}.rocksdb.trackTotalNumberOfRows": "false",  # else each put reads the shard's old state first
        f"{state}.rocksdb.boundedMemoryUsage": "true",
        f"{state}.rocksdb.maxMemoryUsageMB": "512",
        "spark.sql.streaming.minBatchesToRetain": "20",
        **{f"spark.executorEnv.{name}": value for name, value in KEPT_MEMORY.items()},
    }
