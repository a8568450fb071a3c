"""A receiver of webhooks on this machine: keeps what it got, answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], str]


@dataclass(frozen=True)
class Got:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """`answers`: what the next requests get, in turn; then 200."""

    url: str
    got: list[Got] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    before: Callable[[Got], None] = lambda got: None

    def take(self, got: Got) -> Answer:
        self.got.append(got)
        self.before(got)
        return self.answers.pop(0) if self.answers else (200, {}, "ok")


@contextmanager
def listening() -> Iterator[Receiver]:
    """A receiver on a free port of loopback."""
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, said = receiver.take(Got(self.path, {name.lower(): v for name, v in self.headers.items()}, body))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(said.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.encode())

        do_GET = do_POST

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
