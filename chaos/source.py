"""Where records are put: files that appear whole and in order, or the one partition of a topic."""

import os
from collections.abc import Sequence
from pathlib import Path

from chaos.servers import Broker
from jobs.targets import Topic

FILES_PER_PUT = 1


class Source:
    """Counts what it was given; `records` is how many the product must have taken."""

    def __init__(self, landing: Path, broker: Broker | None) -> None:
        self.landing, self.broker = landing, broker
        self.files: list[int] = []
        self.records = 0

    def put(self, records: Sequence[bytes]) -> None:
        """Hand over the records; when this returns they have arrived."""
        if self.broker is not None:
            topic = Topic(self.broker.address, self.broker.topic)
            for raw in records:
                topic.write(None, raw)
            topic.close()
        else:
            size = -(-len(records) // FILES_PER_PUT)
            for at in range(0, len(records), size):
                self._file(records[at : at + size])
        self.records += len(records)

    def _file(self, records: Sequence[bytes]) -> None:
        """Spark takes files in the order of their modification times."""
        number = len(self.files)
        unfinished = self.landing / f".{number:06d}"
        unfinished.write_bytes(b"\n".join(records) + b"\n")
        os.utime(unfinished, (1_700_000_000 + number, 1_700_000_000 + number))
        unfinished.rename(self.landing / f"{number:06d}.jsonl")
        self.files.append(len(records))

    def places(self) -> list[tuple[str, int]]:
        """(source, position) of every record that was handed over, in order: what bronze and quarantine must hold, each once."""
        if self.broker is not None:
            return [(f"{self.broker.topic}/0", offset) for offset in range(self.broker.length())]
        return [(f"{number:06d}.jsonl", line) for number, lines in enumerate(self.files) for line in range(1, lines + 1)]
