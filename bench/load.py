"""A steady load: transactions and requests at a rate, into Kafka or a folder, told what to do by lines on standard input.

    python -m bench.load (--kafka HOST:PORT --topic NAME | --folder PATH) --accounts N

`history ROUNDS RATE` gives every account so many events of the past, as fast as they are taken; `run RATE SECONDS` sends so many
a second, each stamped with the moment at which it is handed over; each is answered by one line of JSON. The end of input ends it.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from jobs.produce import Target
from jobs.targets import Folder, Topic

TERMINALS, SERVICES = 2_000, 10
REQUEST_EVERY = 50
HISTORY_CHUNK = 1_000
LARGE, NOTABLE = 80.0, 6.0  # times the usual amount, in turns: the immediate lane and the batch lane


class Events:
    """Endless events as (key, line): every account once a round in a shuffled order, one in `hot_every` far off the usual."""

    def __init__(self, accounts: int, hot_every: int, large_every: int, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.accounts, self.hot_every, self.large_every = accounts, hot_every, large_every
        self.usual = np.exp(self.chance.normal(3.0, 0.4, 65_521))
        self.order = self._orders()
        self.number = 0

    def _orders(self) -> Iterator[int]:
        while True:
            yield from self.chance.permutation(self.accounts).tolist()

    def take(self, count: int, stamp: str, hot: bool = True) -> Iterator[tuple[bytes, bytes]]:
        for _ in range(count):
            self.number += 1
            n = self.number
            if n % REQUEST_EVERY == 0:
                service = f"s{n // REQUEST_EVERY % SERVICES}"
                yield (
                    service.encode(),
                    f'{{"event_id":"r{n}","event_time":"{stamp}","kind":"request","service":"{service}","status":200,"latency_ms":'
                    f"{self.usual[n % 65_521]:.2f}}}".encode(),
                )
                continue
            account, amount = f"A{next(self.order)}", self.usual[n % 65_521]
            if hot and n % self.hot_every == 1:
                amount *= LARGE if n // self.hot_every % self.large_every == 0 else NOTABLE
            yield (
                account.encode(),
                f'{{"event_id":"t{n}","event_time":"{stamp}","kind":"transaction","account_id":"{account}","amount":{amount:.2f},'
                f'"currency":"EUR","counterparty_id":"T{n * 7919 % TERMINALS}"}}'.encode(),
            )


def stamped(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def history(events: Events, target: Target, rounds: int, rate: float) -> dict[str, Any]:
    """So many events of every account, at the rate at which they would have come until now."""
    total, begun = rounds * events.accounts, time.monotonic()
    start = datetime.now(UTC) - timedelta(seconds=total / rate)
    for done in range(0, total, HISTORY_CHUNK):
        at = start + timedelta(seconds=done / rate)
        for key, line in events.take(min(HISTORY_CHUNK, total - done), stamped(at), hot=False):
            target.write(key, line)
    target.flush()
    return {"sent": total, "seconds": round(time.monotonic() - begun, 2)}


def run(events: Events, target: Target, rate: float, seconds: float, tick_s: float) -> dict[str, Any]:
    """`late_s` is by how much the load itself was behind its own pace at worst: above a second, little can be said."""
    begun, sent, late_s, busy = time.monotonic(), 0, 0.0, time.process_time()
    started = datetime.now(UTC)
    while (passed := time.monotonic() - begun) < seconds:
        due = int(min(passed + tick_s, seconds) * rate)
        for key, line in events.take(due - sent, stamped(datetime.now(UTC))):
            target.write(key, line)
        sent = due
        target.flush()
        wait_s = begun + sent / rate - time.monotonic()
        late_s = max(late_s, -wait_s)
        if wait_s > 0:
            time.sleep(wait_s)
    return {
        "sent": sent, "seconds": round(time.monotonic() - begun, 2), "late_s": round(late_s, 3),
        "cpu_s": round(time.process_time() - busy, 2), "since": started.isoformat(), "until": datetime.now(UTC).isoformat(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka")
    parser.add_argument("--topic", default="events")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--hot-every", type=int, default=1_000, help="one event in so many is far off its account's usual amount")
    parser.add_argument(
        "--large-every", type=int, default=2, help="one of these in so many is large enough for the immediate lane"
    )
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    events = Events(args.accounts, args.hot_every, args.large_every, args.seed)
    target: Target
    if args.kafka:
        target, tick_s = Topic(args.kafka, args.topic, {"linger.ms": "5", "queue.buffering.max.messages": "1000000"}), 0.01
    else:
        target, tick_s = Folder(args.folder, events_per_file=100_000, max_age_s=3600), 0.25
    for line in sys.stdin:
        verb, *words = line.split()
        given = [float(word) for word in words]
        said = (
            history(events, target, int(given[0]), given[1])
            if verb == "history"
            else run(events, target, given[0], given[1], tick_s)
        )
        print(json.dumps(said), flush=True)
    target.close()


if __name__ == "__main__":
    main()
