"""What a checkpoint says of itself, read through Hadoop's file system so that it may lie anywhere; and what we pin into it."""

import hashlib
import json
from typing import Any

from pyspark.sql import SparkSession

from jobs import pinned
from jobs.errors import StateMismatch


def read_text(spark: SparkSession, path: str) -> str | None:
    """The file's text; None when there is none."""
    jvm: Any = spark._jvm
    place = jvm.org.apache.hadoop.fs.Path(path)
    files = place.getFileSystem(spark._jsc.hadoopConfiguration())
    if not files.exists(place):
        return None
    stream = files.open(place)
    try:
        return bytes(stream.readAllBytes()).decode()
    finally:
        stream.close()


def write_text(spark: SparkSession, path: str, text: str) -> None:
    jvm: Any = spark._jvm
    place = jvm.org.apache.hadoop.fs.Path(path)
    stream = place.getFileSystem(spark._jsc.hadoopConfiguration()).create(place, True)
    try:
        stream.write(bytearray(text.encode()))
    finally:
        stream.close()


def move(spark: SparkSession, path: str, to: str) -> bool:
    jvm: Any = spark._jvm
    place = jvm.org.apache.hadoop.fs.Path(path)
    return bool(place.getFileSystem(spark._jsc.hadoopConfiguration()).rename(place, jvm.org.apache.hadoop.fs.Path(to)))


def offsets(spark: SparkSession, checkpoint: str, batch: int) -> list[Any]:
    """The end offsets of a batch, one per source, as Spark logged them before it ran the batch."""
    text = read_text(spark, f"{checkpoint}/offsets/{batch}")
    lines = (text or "").splitlines()[2:]  # a version, the batch's metadata, then the sources
    return [json.loads(line) for line in lines if line and line != "-"]


def empty_files(spark: SparkSession, checkpoint: str, batch: int) -> list[str]:
    """Paths of the batch's files that hold nothing: Spark's file source logs them, but never hands them over."""
    jvm: Any = spark._jvm
    conf = spark._jsc.hadoopConfiguration()
    empty = []
    for path in files(spark, checkpoint, batch):
        place = jvm.org.apache.hadoop.fs.Path(jvm.java.net.URI(path))
        system = place.getFileSystem(conf)
        if system.exists(place) and system.getFileStatus(place).getLen() == 0:
            empty.append(path)
    return empty


def files(spark: SparkSession, checkpoint: str, batch: int) -> list[str]:
    """Paths of the files of a batch, from the file source's log."""
    ends = [offsets(spark, checkpoint, number) for number in (batch - 1, batch)]
    before, upto = (end[0]["logOffset"] if end else -1 for end in ends)
    paths = []
    for number in range(before + 1, upto + 1):
        log = f"{checkpoint}/sources/0/{number}"
        text = read_text(spark, log) or read_text(spark, f"{log}.compact") or ""
        entries = [json.loads(line) for line in text.splitlines()[1:]]
        paths += [entry["path"] for entry in entries if entry["batchId"] == number]
    return paths


def query_id(spark: SparkSession, checkpoint: str) -> str:
    """The id that Spark gave the checkpoint when it was made: a deleted checkpoint comes back with another."""
    return str(json.loads(read_text(spark, f"{checkpoint}/metadata") or "{}")["id"])


def pin(spark: SparkSession, checkpoint: str, now: pinned.Pin) -> pinned.Pin:
    """Write down what must not change under this checkpoint, and return it; raises StateMismatch when it did change."""
    file = f"{checkpoint}/{pinned.FILE}"
    text = read_text(spark, file) or read_text(spark, f"{file}.new")
    if text is None and read_text(spark, f"{checkpoint}/metadata") is not None:
        raise StateMismatch(f"{checkpoint} was made by another program.")
    held = None if text is None else json.loads(text)
    kept = now if held is None else pinned.accepted(held, now)
    if kept != held:
        replace_text(spark, file, json.dumps(kept))
    return kept


def replace_text(spark: SparkSession, path: str, text: str) -> None:
    """Whenever the process dies in between, the old text or the new one is there, in the file or beside it."""
    write_text(spark, f"{path}.new", text)
    place: Any = spark._jvm.org.apache.hadoop.fs.Path(path)  # type: ignore[union-attr]
    place.getFileSystem(spark._jsc.hadoopConfiguration()).delete(place, False)
    move(spark, f"{path}.new", path)


def hashed(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()
