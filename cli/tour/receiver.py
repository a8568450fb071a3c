"""A program at the other end of a webhook, as a customer would write one: checks the signature, keeps what came, answers."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from notify import signing


@dataclass
class Receiver:
    """`received` holds what came with a right signature, `refused` counts the rest."""

    secret: str
    received: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def take(self, path: str, headers: Any, body: bytes) -> int:
        """The status to answer."""
        stamp, signature = headers.get(signing.TIMESTAMP, ""), headers.get(signing.SIGNATURE, "")
        if not stamp.isdigit() or not signing.verify(self.secret, int(stamp), body, signature, time.time()):
            self.refused += 1
            return 401
        self.received.append({"path": path, "key": headers.get(signing.KEY), "body": json.loads(body)})
        return 200

    def to(self, path: str) -> list[dict[str, Any]]:
        return [one for one in self.received if one["path"] == path]


@contextmanager
def listening(secret: str) -> Iterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver(secret)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(receiver.take(self.path, self.headers, body))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing: the tour tells what arrived."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
