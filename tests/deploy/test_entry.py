"""The image's entry as Kubernetes' Spark calls it, and the wait for migrations."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from store import migrations
from store.database import connect

DEPLOY = Path(__file__).parents[2] / "deploy"
SPARK = {
    "SPARK_DRIVER_URL": "spark://driver:7078", "SPARK_EXECUTOR_ID": "3", "SPARK_EXECUTOR_CORES": "2",
    "SPARK_APPLICATION_ID": "spark-1",
    "SPARK_EXECUTOR_POD_IP": "10.0.0.7", "SPARK_RESOURCE_PROFILE_ID": "0", "SPARK_EXECUTOR_POD_NAME": "conclave-exec-3",
    "SPARK_EXECUTOR_MEMORY": "4g", "SPARK_JAVA_OPT_0": "-Dname=two words",
    "SPARK_JAVA_OPT_1": "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "SPARK_DRIVER_BIND_ADDRESS": "10.0.0.6",
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A SPARK_HOME and a PATH whose `java` and `spark-submit` say how they were called, an argument a line."""
    (tmp_path / "bin").mkdir()
    for name in ("java", "spark-submit"):
        program = tmp_path / "bin" / name
        program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
        program.chmod(0o755)
    return tmp_path


def called(home: Path, *words: str) -> list[str]:
    environment = SPARK | {"SPARK_HOME": str(home), "PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run([str(DEPLOY / "entrypoint.sh"), *words], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_an_executor_becomes_java(home: Path) -> None:
    said = called(home, "executor")
    assert said[:4] == ["-Dname=two words", "--add-opens=java.base/java.lang=ALL-UNNAMED", "-Xms4g", "-Xmx4g"]
    assert said[4:6] == ["-cp", f"{home}/jars/*"]
    backend = said[6:]
    assert backend[0] == "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
    assert dict(zip(backend[1::2], backend[2::2], strict=True)) == {
        "--driver-url": "spark://driver:7078", "--executor-id": "3", "--cores": "2", "--app-id": "spark-1",
        "--hostname": "10.0.0.7", "--resourceProfileId": "0", "--podName": "conclave-exec-3",
    }  # fmt: skip


def test_a_driver_becomes_spark_submit(home: Path) -> None:
    given = ["--properties-file", "/opt/spark/conf/spark.properties", "local:///opt/conclave/jobs/detect.py"]
    said = called(home, "driver", *given)
    assert said[:2] == ["--conf", "spark.driver.bindAddress=10.0.0.6"]
    assert said[-5:] == ["--deploy-mode", "client", *given]


def test_anything_else_runs_as_it_stands(home: Path) -> None:
    assert called(home, "printf", "%s|", "a b", "c") == ["a b|c|"]


def test_the_executors_backend_is_in_pysparks_jars() -> None:
    pyspark = pytest.importorskip("pyspark")
    assert list((Path(pyspark.__file__).parent / "jars").glob("spark-kubernetes_*.jar"))


def waited(url: str, *seconds: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(DEPLOY / "migrated.py"), *seconds], env={"CONCLAVE_DATABASE_URL": url, "PATH": ""},
        cwd="/", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_migrations_are_waited_for(database_url: str) -> None:
    assert waited(database_url).returncode == 0
    newest = migrations.known()[-1]
    with connect(database_url) as connection:
        connection.execute("delete from schema_migrations where number = %s", [newest.number])
    behind = waited(database_url)
    assert behind.returncode == 1
    assert f"1 migrations to apply, up to {newest.name}" in behind.stderr


def test_no_database_is_said() -> None:
    done = waited("postgresql://nobody@127.0.0.1:1/none")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
