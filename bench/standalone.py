"""A standalone Spark cluster on this machine's loopback: a master and workers of a core each, as processes that can be killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyspark

SPARK_HOME = Path(pyspark.__file__).parent
JOBS = Path(__file__).parents[1] / "jobs"
WAIT_S = 180.0
Process = subprocess.Popen[bytes]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def environment(**more: str) -> dict[str, str]:
    """This process's variables without settings of Spark and Conclave, and with Spark's own home and this Python."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CONCLAVE_", "SPARK_", "PYSPARK_"))}
    return own | {"SPARK_HOME": str(SPARK_HOME), "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"} | more


@dataclass
class Cluster:
    """Its processes; logs and work folders are in `folder`."""

    folder: Path
    port: int = field(default_factory=free_port)
    master: Process | None = None
    workers: list[Process] = field(default_factory=list)
    jobs: list[Process] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    def log(self) -> str:
        return (self.folder / "master.log").read_text()

    def launched(self) -> int:
        """Executors launched until now."""
        return self.log().count("Launching executor")

    def start(self, workers: int, memory: str) -> None:
        self.master = self._spawn("master", "master.Master", "--port", str(self.port), "--webui-port", str(free_port()))
        for number in range(workers):
            place = str(self.folder / f"work{number}")
            words = ("--cores", "1", "--memory", memory, "--webui-port", str(free_port()), "-d", place, self.address)
            self.workers.append(self._spawn(f"worker{number}", "worker.Worker", *words))
        deadline = time.monotonic() + WAIT_S
        while self.log().count("Registering worker") < workers:
            if time.monotonic() > deadline:
                raise TimeoutError(self.log()[-2000:])
            time.sleep(0.1)

    def submit(self, job: str, settings: dict[str, str], executor_memory: str, log: Path) -> Process:
        """`spark-submit jobs/JOB.py --once` on this cluster, from a folder that is not the checkout's."""
        command = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", self.address, "--executor-memory", executor_memory,
                   str(JOBS / f"{job}.py"), "--once"]  # fmt: skip
        with log.open("ab") as said:
            started = subprocess.Popen(
                command, env=environment(**settings), cwd=self.folder, stdout=said, stderr=said, start_new_session=True
            )
        self.jobs.append(started)
        return started

    def kill_worker(self, number: int) -> int:
        """SIGKILL to a worker, its executors and their Python processes; how many there were."""
        worker = psutil.Process(self.workers[number].pid)
        tree = [worker, *worker.children(recursive=True)]
        for process in tree:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.workers[number].wait(timeout=30)
        return len(tree)

    def cpu_s(self) -> float:
        """Seconds of processor that workers and all below them have taken and that still can be told."""
        total = 0.0
        for worker in self.workers:
            with suppress(psutil.NoSuchProcess):
                parent = psutil.Process(worker.pid)
                for process in [parent, *parent.children(recursive=True)]:
                    with suppress(psutil.NoSuchProcess):
                        times = process.cpu_times()
                        total += times.user + times.system
        return total

    def stop(self) -> None:
        started = [one for one in (*self.jobs, *self.workers, self.master) if one is not None and one.poll() is None]
        for process in started:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            process.wait(timeout=WAIT_S)

    def _spawn(self, name: str, role: str, *words: str) -> Process:
        command = [str(SPARK_HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{role}", "--host", "127.0.0.1", *words]
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(command, env=environment(), stdout=log, stderr=log, start_new_session=True)


@contextmanager
def cluster(folder: Path, workers: int, memory: str = "1g") -> Iterator[Cluster]:
    """A running cluster that ends with the block."""
    folder.mkdir(parents=True, exist_ok=True)
    one = Cluster(folder)
    try:
        one.start(workers, memory)
        yield one
    finally:
        one.stop()
