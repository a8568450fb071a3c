"""The six jars that Spark needs for Delta and Kafka, and those of an object store, fetched once by pyspark's own resolver
into `jars/`."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jobs.cloud_jars import OF_SCHEME
from jobs.errors import JarsUnavailable

# Resolved without transitive dependencies: Delta's closure would bring second copies of Hadoop and Parquet.
KAFKA_LOGIN = "org.apache.spark:spark-token-provider-kafka-0-10_2.13:4.0.0"
PINNED = {
    "io.delta:delta-spark_4.2_2.13:4.4.0": "27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead",
    "io.delta:delta-storage:4.4.0": "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",
    "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0": "64539c45e5d39f7ddb747312c239f38f5208d08c1a0ddf7d70beb2fbd9373705",
    KAFKA_LOGIN: "f2be3b76f9e6cbe63379d4e4e0dc14f59dbf056ae2ad16ff15ac108004c86767",
    "org.apache.kafka:kafka-clients:3.9.2": "014b4ef36884478a932641818b080c36a8f8e2e92dc771e800c9d2694f4f83d8",
    "org.apache.commons:commons-pool2:2.13.1": "f77a5060d6936a9144023584232f9de3f2248f1abfe156e9d31795f18770674f",
}
MEGABYTES = {"": 19, "s3a": 12, "abfss": 1, "gs": 36}
IVY = """<ivysettings><settings defaultResolver="central"/>
<resolvers><ibiblio name="central" m2compatible="true"/></resolvers></ivysettings>"""


def folder() -> Path:
    """Where the jars are kept: `CONCLAVE_JARS`, else `jars/` beside the packages."""
    return Path(os.environ.get("CONCLAVE_JARS") or Path(__file__).parent.parent / "jars")


def file_of(coordinate: str) -> Path:
    _, artifact, version = coordinate.split(":")
    return folder() / f"{artifact}-{version}.jar"


def wanted(schemes: Iterable[str] = ()) -> dict[str, str]:
    """Coordinates with their sha256: the six, and those of object stores by scheme (`s3a`, `abfss`, `gs`)."""
    return PINNED | {coordinate: sha for scheme in schemes if scheme for coordinate, sha in OF_SCHEME[scheme].items()}


def missing(schemes: Iterable[str] = ()) -> list[str]:
    """Coordinates that are not there, or are not byte for byte what was pinned."""
    return [coordinate for coordinate, sha in wanted(schemes).items() if not present(coordinate, sha)]


def present(coordinate: str, sha: str) -> bool:
    file = file_of(coordinate)
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == sha


def ensure(progress: Callable[[str], None] | None = None, schemes: Iterable[str] = ()) -> list[Path]:
    """Fetch what is missing and return every jar's path.

    Raises JarsUnavailable when a jar cannot be had or its sha256 is another.
    """
    asked = tuple(schemes)
    lacking = missing(asked)
    if lacking:
        if progress is not None:
            progress(f"fetching {len(lacking)} jars ({sum(MEGABYTES[scheme] for scheme in {'', *asked})} MB in all)")
        with tempfile.TemporaryDirectory() as scratch:
            fetch(lacking, Path(scratch))
        still = missing(asked)
        if still:
            raise JarsUnavailable(", ".join(still))
    return [file_of(coordinate) for coordinate in wanted(asked)]


def fetch(coordinates: list[str], scratch: Path) -> None:
    """Resolve through the MavenUtils class inside pyspark and copy the files into `folder()`."""
    folder().mkdir(parents=True, exist_ok=True)
    ivy = scratch / "ivysettings.xml"
    ivy.write_text(IVY)
    resolve(coordinates, ivy, scratch / "cache")
    for coordinate in coordinates:
        _, artifact, version = coordinate.split(":")
        for found in (scratch / "cache" / "jars").glob(f"*_{artifact}-{version}.jar"):
            part = file_of(coordinate).with_suffix(f".{os.getpid()}.part")
            shutil.copyfile(found, part)
            part.replace(file_of(coordinate))


def resolve(coordinates: list[str], ivy: Path, cache: Path) -> None:
    from py4j.protocol import Py4JJavaError
    from pyspark.conf import SparkConf
    from pyspark.java_gateway import launch_gateway

    launch: Callable[[Any], Any] = launch_gateway
    gateway = launch(SparkConf())
    jvm = gateway.jvm
    maven, nothing = jvm.org.apache.spark.util.MavenUtils, getattr(getattr(jvm.scala, "None$"), "MODULE$")
    quiet = jvm.java.io.PrintStream(jvm.java.io.OutputStream.nullOutputStream())
    try:
        settings = maven.loadIvySettings(str(ivy), nothing, jvm.scala.Some(str(cache)), quiet)
        excluded = getattr(maven, "resolveMavenCoordinates$default$5")()
        maven.resolveMavenCoordinates(",".join(coordinates), settings, nothing, False, excluded, False, quiet)
    except Py4JJavaError as error:
        raise JarsUnavailable(str(error.java_exception).splitlines()[0]) from error
    finally:
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=30)


if __name__ == "__main__":  # python -m jobs.jars [s3a] [abfss] [gs]
    ensure(lambda said: print(said, file=sys.stderr), sys.argv[1:])
