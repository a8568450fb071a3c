"""A TCP proxy between the product and its database: it can hold a chosen commit, cut every connection, or fall silent."""

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from chaos.wire import Client

When = Literal["asked", "before", "after"]
CHUNK = 65_536
LONGEST_HOLD_S = 120.0


@dataclass(eq=False)
class Trap:
    """Holds the next connection that comes to the moment: a statement `asked` for, or a commit, `before` the server hears of it
    or `after` it happened and before the client hears of that."""

    label: str
    when: When
    caught: threading.Event = field(default_factory=threading.Event)
    passed: bool = True
    port: int = 0  # of the client that was caught
    _go: threading.Event = field(default_factory=threading.Event)

    def matches(self, means: str) -> bool:
        wanted = self.label if self.when == "asked" else f"commit:{self.label}"
        return means == wanted and not self.caught.is_set()

    def hold(self, port: int) -> bool:
        """Wait for the release; whether what was held shall go on its way."""
        self.port = port
        self.caught.set()
        self._go.wait(LONGEST_HOLD_S)
        return self.passed

    def release(self, *, passed: bool) -> None:
        self.passed = passed
        self._go.set()


class Proxy:
    """Listens on a port of loopback; `target` is the server's port and may change. A context manager."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.traps: list[Trap] = []
        self._links: set[Link] = set()
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self.refusing = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self._accept, daemon=True, name="proxy").start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def trap(self, label: str, when: When) -> Trap:
        trap = Trap(label, when)
        with self._lock:
            self.traps.append(trap)
        return trap

    def disarm(self, trap: Trap, *, passed: bool) -> None:
        with self._lock:
            self.traps = [one for one in self.traps if one is not trap]
        trap.release(passed=passed)

    def cut(self) -> None:
        """Break every connection that there is, on both sides."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.close()

    def silence(self) -> None:
        """Pass nothing on any more, and tell nobody."""
        self._open.clear()

    def speak(self) -> None:
        self._open.set()

    def claim(self, means: str, *moments: When) -> Trap | None:
        """The trap that waits for this, if there is one."""
        with self._lock:
            return next((trap for trap in self.traps if trap.when in moments and trap.matches(means)), None) if means else None

    def wait_open(self) -> None:
        self._open.wait(LONGEST_HOLD_S)

    def forget(self, link: "Link") -> None:
        with self._lock:
            self._links.discard(link)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._link(client)

    def _link(self, client: socket.socket) -> None:
        try:
            if self.refusing:
                raise ConnectionRefusedError
            server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        link = Link(self, client, server)
        with self._lock:
            self._links.add(link)
        link.start()


class Link:
    """One client's connection and ours to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self.port = int(client.getpeername()[1])
        self._heard = Client()
        self._answer: Trap | None = None
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self) -> None:
        for work in (self._asks, self._answers):
            threading.Thread(target=self._guarded, args=(work,), daemon=True).start()

    def close(self) -> None:
        for one in (self._client, self._server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _guarded(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(OSError):
            work()
        self.close()
        self._proxy.forget(self)

    def _asks(self) -> None:
        """Client to server, message by message, since a trap closes between two of them."""
        while data := self._client.recv(CHUNK):
            for heard in self._heard.hear(data):
                trap = self._proxy.claim(heard.means, "asked", "before")
                if trap is not None and not trap.hold(self.port):
                    return
                self._answer = self._proxy.claim(heard.means, "after") or self._answer
                self._proxy.wait_open()
                self._server.sendall(heard.raw)

    def _answers(self) -> None:
        """Server to client; after a trapped commit its answer is what is held."""
        while data := self._server.recv(CHUNK):
            trap, self._answer = self._answer, None
            if trap is not None and not trap.caught.is_set() and not trap.hold(self.port):
                return
            self._proxy.wait_open()
            self._client.sendall(data)
