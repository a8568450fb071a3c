"""Events a second through HTTP: a gateway of its own as a process, several clients, full batches, answers read."""

import argparse
import gzip
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from store import embedded
from store.database import open_database
from store.settings import read
from trust import keys
from trust.roles import Role


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=60, help="requests, after two to warm up")
    parser.add_argument("--size", type=int, default=5_000, help="events in a request")
    parser.add_argument("--clients", type=int, default=4, help="requests at once")
    parser.add_argument("--workers", type=int, default=1, help="processes of the gateway")
    parser.add_argument("--gzip", action="store_true", help="send packed bodies")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, gateway(Path(folder), asked.workers) as (address, key):
        bodies = [body(number, asked.size) for number in range(asked.batches + 2)]
        packed = [gzip.compress(one, 1) for one in bodies] if asked.gzip else bodies
        found = measure(address, key, packed, asked)
    print(json.dumps(found) if asked.json else words(found))


@contextmanager
def gateway(home: Path, workers: int) -> Iterator[tuple[str, str]]:
    """A gateway on a database and a landing folder of its own; its address and a key."""
    with open_database(read(home=home), wait_s=60) as database, database.connection() as connection:
        issued = keys.create(connection, "main", "bench", Role.analyst, actor="system:bench", now=datetime.now(UTC))
    port = free_port()
    env = {
        **os.environ,
        "CONCLAVE_HOME": str(home),
        "CONCLAVE_LOG_LEVEL": "warning",
        "CONCLAVE_GATEWAY__REQUESTS_PER_MINUTE": "100000",
    }
    command = [sys.executable, "-m", "cli.app", "gateway", "--port", str(port), "--workers", str(workers)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(address)
        yield address, issued.text
    finally:
        process.terminate()
        process.wait(30)
        embedded.remove(home)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def wait_for(address: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            httpx.get(f"{address}/health").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the gateway did not start")


def body(batch: int, size: int) -> bytes:
    """`size` transactions that were not sent before."""
    line = (
        '{"event_id":"%d-%d","event_time":"2026-05-01T12:00:00Z","kind":"transaction","account_id":"A-%d","amount":%d.25,'
        '"currency":"EUR","counterparty_id":"M-%d"}'
    )
    return ("[" + ",".join(line % (batch, n, n % 997, n % 250, n % 41) for n in range(size)) + "]").encode()


def measure(address: str, key: str, bodies: list[bytes], asked: argparse.Namespace) -> dict[str, float]:
    """Wall-clock seconds of all requests but the first two, and each request's own."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    headers |= {"Content-Encoding": "gzip"} if asked.gzip else {}
    took: list[float] = []
    with httpx.Client(base_url=address, headers=headers, timeout=60) as client:

        def post(content: bytes) -> int:
            begun = time.perf_counter()
            answer = client.post("/v1/events", content=content).raise_for_status().json()
            took.append(time.perf_counter() - begun)
            return int(answer["accepted"])

        accepted = sum(post(one) for one in bodies[:2])
        took.clear()
        begun = time.perf_counter()
        with ThreadPoolExecutor(asked.clients) as pool:
            sent = sum(pool.map(post, bodies[2:]))
        seconds = time.perf_counter() - begun
    if accepted + sent != asked.size * len(bodies):
        raise SystemExit(f"only {accepted + sent:,} of {asked.size * len(bodies):,} were accepted")
    took.sort()
    return {
        "events_per_s": round(sent / seconds), "events": sent, "seconds": round(seconds, 2),
        "request_p50_ms": round(took[len(took) // 2] * 1000), "request_p95_ms": round(took[int(len(took) * 0.95)] * 1000),
    }  # fmt: skip


def words(found: dict[str, float]) -> str:
    return (
        f"{found['events_per_s']:,} events/s ({found['events']:,} in {found['seconds']} s); "
        f"a request p50 {found['request_p50_ms']} ms, p95 {found['request_p95_ms']} ms"
    )


if __name__ == "__main__":
    main()
