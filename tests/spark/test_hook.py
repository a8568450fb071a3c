"""A Java error inside a batch ends the stream with an error that can be seen, whatever its length."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from jobs.hook import brief


def test_a_stream_that_breaks_on_a_long_java_error_says_so(spark: SparkSession, tmp_path: Path) -> None:
    """Without `brief` Spark's own handling of the error ends the thread, and the query looks as if it had ended well."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("one\n")
    java: Any = spark._jvm

    def write(_frame: Any, _batch: int) -> None:
        java.java.io.FileReader("/nowhere/" + "x" * 200_000)

    stream = spark.readStream.format("text").load(str(tmp_path / "in")).writeStream.trigger(availableNow=True)
    query = stream.foreachBatch(brief(write)).option("checkpointLocation", str(tmp_path / "checkpoint")).start()
    with pytest.raises(StreamingQueryException, match="FileNotFoundException"):
        query.awaitTermination(60)
