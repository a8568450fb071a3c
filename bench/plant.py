"""The whole product as separate processes in a home of its own, watched from outside and stopped in good order.

    with Plant.started(args) as plant:
        plant.history()                      # every account gets a past, folded before anything is measured
        sent = plant.load(5_000, 120)        # so many events a second, for so long
        plant.drained(60)

Kafka is taken from `--kafka HOST:PORT`, else from CONCLAVE_TEST_KAFKA, else a broker is started by `../shared/servers/kafka.sh`
beside the checkout, else events are dropped as files. `--files` asks for files.
"""

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.watching import Watching
from cli.children import Children
from cli.demo import interruptible
from store import embedded
from store.database import LIBPQ, Database, open_database
from store.settings import Settings, settings

ROOT = Path(__file__).parents[1]
BROKER = ROOT.parent / "shared" / "servers" / "kafka.sh"
PARTITIONS = 2
READY_S, LOOK_S = 180.0, 0.2
PARTS = ("stream", "council", "operate", "dashboard")


class PlantFailed(SystemExit):
    """Something that was started ended, or did not come up in time."""


@dataclass
class Plant:
    """A running product and the load on it; `watching` holds what was seen of it each second."""

    home: Path
    args: argparse.Namespace
    settings: Settings
    database: Database
    children: Children
    watching: Watching
    loader: "subprocess.Popen[str]"
    sent: int = 0
    stopping: list[Any] = field(default_factory=list)

    @classmethod
    @contextlib.contextmanager
    def started(cls, args: argparse.Namespace, **more: str) -> Iterator["Plant"]:
        """Everything up and watched; `more` are further CONCLAVE_ variables. All of it ends with the block."""
        with interruptible(), contextlib.ExitStack() as stack:
            home = Path(tempfile.mkdtemp(prefix="conclave-bench-"))
            stack.callback(shutil.rmtree, home, ignore_errors=True)
            broker = stack.enter_context(broker_of(args, home))
            stack.callback(embedded.remove, home)
            own = variables(args, home, broker) | more
            chosen = stack.enter_context(environment(own))
            database = stack.enter_context(open_database(chosen))
            children = Children(home / "logs", home / "children.json")
            stack.callback(children.stop)
            loader = stack.enter_context(loading(args, home, broker, chosen.source.kafka_topics))
            watching = stack.enter_context(Watching(database, children, home))
            plant = cls(home, args, chosen, database, children, watching, loader)
            plant.start()
            yield plant

    def start(self) -> None:
        """The processes, each as a person would start it; ready when each has given a sign of life."""
        commands = {
            "council": ["council", "--workers", str(self.args.council_workers)],
            "operate": ["operate"],
            "dashboard": ["dashboard", "--host", "127.0.0.1", "--port", str(free_port())],
        }
        streams = ["ingest", "detect"] if self.args.two_sessions else ["stream"]
        for name in [*streams, *(part for part in commands if part not in self.args.without)]:
            say(f"starting {name}")
            self.children.start(name, [sys.executable, "-m", "cli.app", *commands.get(name, [name])], dict(os.environ))
        wanted = {"ingest", "detect"} | ({"council"} - set(self.args.without))
        self.until(
            lambda: wanted <= {row["job"] for row in self.database.fetch("status_workers")}, READY_S, "the processes to live"
        )

    def history(self) -> None:
        """Give every account a past and wait until it is folded."""
        say(f"a past of {self.args.rounds} events for each of {self.args.accounts:,} accounts")
        said = self._load(f"history {self.args.rounds} {self.args.rate}")
        say(f"{said['sent']:,} sent in {said['seconds']} s; waiting until they are folded")
        self.drained(max(READY_S, self.sent / 2_000))

    def load(self, rate: float, seconds: float) -> dict[str, Any]:
        """Send so many events a second for so long; what the loader says of it."""
        say(f"{rate:,.0f} events/s for {seconds:g} s")
        return self._load(f"run {rate} {seconds}")

    def _load(self, line: str) -> dict[str, Any]:
        assert self.loader.stdin is not None
        assert self.loader.stdout is not None
        self.loader.stdin.write(line + "\n")
        self.loader.stdin.flush()
        answer = self.loader.stdout.readline()
        if not answer:
            raise PlantFailed("the load ended; see above")
        self.check()
        said: dict[str, Any] = json.loads(answer)
        self.sent += said["sent"]
        return said

    def drained(self, within_s: float) -> float:
        """Wait until every event that was sent is folded; how many seconds that took."""
        begun = time.monotonic()
        self.until(lambda: self.folded() >= self.sent, within_s, f"{self.sent:,} events to be folded")
        return time.monotonic() - begun

    def heard(self, within_s: float) -> float:
        """Wait until the docket is empty, what was filed included; how many seconds that took."""
        begun = time.monotonic()

        def empty() -> bool:
            row = self.database.fetch("bench_lag")[0]
            return int(row["immediate"] + row["batch"] + row["shed"]) == 0

        self.until(empty, within_s, "the docket to empty")
        return time.monotonic() - begun

    def folded(self) -> int:
        return int(self.database.fetch("bench_lag")[0]["folded"] or 0)

    def until(self, true: Any, within_s: float, what: str) -> None:
        end = time.monotonic() + within_s
        while not true():
            self.check()
            if time.monotonic() > end:
                raise PlantFailed(f"waited {within_s:.0f} s in vain for {what}; folded {self.folded():,} of {self.sent:,}")
            time.sleep(LOOK_S)

    def check(self) -> None:
        """Raise PlantFailed with the last words of a process that ended."""
        if (dead := self.children.dead()) is not None:
            raise PlantFailed(f"{dead.name} ended with code {dead.code}:\n{dead.last_words(40)}")


def options(parser: argparse.ArgumentParser, rate: float, accounts: int) -> None:
    """What every run of the whole product takes."""
    parser.add_argument("--rate", type=float, default=rate, help=f"events a second (default {rate:,.0f})")
    parser.add_argument("--accounts", type=int, default=accounts)
    parser.add_argument("--rounds", type=int, default=25, help="events of each account before the measurement")
    parser.add_argument("--hot-every", type=int, default=1_000, help="one event in so many is far off its account's usual amount")
    parser.add_argument("--large-every", type=int, default=2, help="one of these in so many is for the immediate lane")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker that runs already")
    parser.add_argument("--files", action="store_true", help="drop files instead of using Kafka")
    parser.add_argument("--two-sessions", action="store_true", help="ingest and detect as processes of their own")
    parser.add_argument("--council-workers", type=int, default=1)
    parser.add_argument("--without", nargs="*", default=[], choices=["council", "operate", "dashboard"], help="leave these out")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")


def variables(args: argparse.Namespace, home: Path, broker: str | None) -> dict[str, str]:
    """The product's settings for this run; what the caller's own CONCLAVE_ variables say goes before."""
    source = {"CONCLAVE_SOURCE__KIND": "files", "CONCLAVE_SOURCE__FOLDER": str(home / "landing")}
    if broker is not None:
        source = {
            "CONCLAVE_SOURCE__KIND": "kafka",
            "CONCLAVE_SOURCE__KAFKA_SERVERS": broker,
            "CONCLAVE_SOURCE__KAFKA_TOPICS": f"bench-{home.name.rpartition('-')[2]}",
        }
        make_topic(broker, source["CONCLAVE_SOURCE__KAFKA_TOPICS"])
    given = {name: value for name, value in os.environ.items() if name.startswith("CONCLAVE_")}
    return {
        **source,
        "CONCLAVE_HOME": str(home),
        "CONCLAVE_DATABASE_URL": embedded.start(home, track_commit_timestamp="on"),
        "CONCLAVE_DASHBOARD__SIGN_IN": "off",
        "CONCLAVE_MODEL__ENABLED": "false",
        "CONCLAVE_SPARK__SHUFFLE_PARTITIONS": str(os.cpu_count() or 2),
        **given,
    }


@contextlib.contextmanager
def environment(own: dict[str, str]) -> Iterator[Settings]:
    """These variables for us and for the processes; as they were afterwards."""
    before = dict(os.environ)
    for name in LIBPQ:
        os.environ.pop(name, None)
    os.environ |= own
    settings.cache_clear()
    try:
        yield settings()
    finally:
        os.environ.clear()
        os.environ |= before
        settings.cache_clear()


@contextlib.contextmanager
def broker_of(args: argparse.Namespace, home: Path) -> Iterator[str | None]:
    """Where Kafka is, None for files; one that we started ends with us."""
    known = args.kafka or os.environ.get("CONCLAVE_TEST_KAFKA")
    if args.files or known or not BROKER.exists():
        yield None if args.files else known
        return
    port = free_port()
    subprocess.run([str(BROKER), "start", str(port), str(home / "kafka")], check=True, stdout=sys.stderr)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        subprocess.run([str(BROKER), "stop", str(home / "kafka")], check=False, stdout=sys.stderr)


def make_topic(broker: str, name: str) -> None:
    from confluent_kafka.admin import AdminClient
    from confluent_kafka.cimpl import NewTopic

    client = AdminClient({"bootstrap.servers": broker})  # kept while it works
    for made in client.create_topics([NewTopic(name, PARTITIONS, 1)]).values():
        made.result(30)


@contextlib.contextmanager
def loading(args: argparse.Namespace, home: Path, broker: str | None, topic: str) -> Iterator["subprocess.Popen[str]"]:
    """The process that sends; it ends when its input does."""
    where = ["--kafka", broker, "--topic", topic] if broker is not None else ["--folder", str(home / "landing")]
    numbers = {"--accounts": args.accounts, "--hot-every": args.hot_every, "--large-every": args.large_every}
    words = [word for name, number in numbers.items() for word in (name, str(number))]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.load", *where, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        threading.Timer(30, process.kill) if process.poll() is None else None
        process.wait(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def say(words: str) -> None:
    print(f"[{time.strftime('%H:%M:%S')}] {words}", file=sys.stderr, flush=True)
