"""What a Postgres client says, read from the bytes that pass: which transaction is about to commit. No socket here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

ENCRYPTION = (80877103, 80877104)  # SSLRequest and GSSENCRequest come before the startup message
LABELS = {
    "ingest": re.compile(rb"insert into batches.*'ingest'", re.DOTALL),
    "detect": re.compile(rb"insert into batches.*'detect'", re.DOTALL),
    "council": re.compile(rb"insert into rulings\b"),
    "fence": re.compile(rb"conclave fence"),
}
COMMIT, BOUNDS = "commit", ("begin", "rollback")


@dataclass(frozen=True)
class Heard:
    """A message as it came, and what it means: a label of LABELS when such a statement is asked for, `commit:<label>` when the
    transaction in which it was asked for is about to commit, else empty."""

    raw: bytes
    means: str = ""


@dataclass
class Client:
    """One client's side of a connection, cut into messages."""

    started: bool = False
    doing: str = ""
    _held: bytearray = field(default_factory=bytearray)
    _named: dict[bytes, str] = field(default_factory=dict)

    def hear(self, data: bytes) -> Iterator[Heard]:
        """The whole messages that are there now; the rest of the bytes is kept until its message is whole."""
        self._held += data
        while (size := self._size()) and len(self._held) >= size:
            raw = bytes(self._held[:size])
            del self._held[:size]
            yield Heard(raw, self._meaning(raw))

    def _size(self) -> int:
        """Bytes of the next message; 0 while that is not known."""
        head = 1 if self.started else 0
        if len(self._held) < head + 4:
            return 0
        return head + int.from_bytes(self._held[head : head + 4])

    def _meaning(self, raw: bytes) -> str:
        if not self.started:
            self.started = int.from_bytes(raw[4:8]) not in ENCRYPTION
            return ""
        said = self._said(raw)
        if said == COMMIT:
            label, self.doing = self.doing, ""
            return f"{COMMIT}:{label}" if label else ""
        if said in BOUNDS:
            self.doing = ""
            return ""
        self.doing = said or self.doing
        return said

    def _said(self, raw: bytes) -> str:
        kind, body = raw[:1], raw[5:]
        if kind == b"Q":
            return label_of(body)
        if kind == b"P":
            name, query = body.split(b"\0")[:2]
            self._named[name] = label_of(query)
            return self._named[name] if not name else ""
        if kind == b"B":
            name = body.split(b"\0")[1]
            return self._named.get(name, "") if name else ""
        return ""


def label_of(query: bytes) -> str:
    text = query.strip(b" \0;\n")
    word = text.decode("ascii", "replace").lower() if len(text) < 10 else ""
    if word == COMMIT or word in BOUNDS:
        return word
    return next((label for label, pattern in LABELS.items() if pattern.search(text)), "")
