"""A stand-in for the model server on loopback that speaks Ollama's protocol and behaves as it is told, also badly."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Mode = Literal["good", "hang", "busy", "garbage", "cut"]
NAME = "stand-in:latest"
LONGEST_HANG_S = 120.0


class StandIn:
    """A model server. In mode `good` it confirms what it is asked about, citing what was offered. A context manager."""

    def __init__(self) -> None:
        self.mode: Mode = "good"
        self.called = threading.Event()
        self.caller = 0  # the port of whoever called first since it was told how to behave
        self._freed = threading.Event()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                self.answer(200, json.dumps({"models": [{"name": NAME, "digest": "0123456789abcdef"}]}).encode())

            def do_POST(self) -> None:
                stand_in.serve(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "StandIn":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True, name="model").start()
        return self

    def __exit__(self, *_: object) -> None:
        self.behave("good")
        self._server.shutdown()
        self._server.server_close()

    def behave(self, mode: Mode) -> None:
        """Whoever hangs is let go without an answer; `called` is set by the next call."""
        self._freed.set()
        self._freed = threading.Event()
        self.mode = mode
        self.called.clear()

    def serve(self, handler: Any, request: dict[str, Any]) -> None:
        mode, freed = self.mode, self._freed
        if not self.called.is_set():
            self.caller = handler.client_address[1]
        self.called.set()
        if mode == "hang":
            freed.wait(LONGEST_HANG_S)
            handler.close_connection = True
        elif mode == "busy":
            handler.answer(429, b'{"error": "too many requests"}')
        elif mode == "garbage":
            handler.answer(200, b"\x00\xff<html>not what was asked for</html>\n")
        else:
            handler.answer(200, spoken(request, ended=mode == "good"))


def spoken(request: dict[str, Any], *, ended: bool) -> bytes:
    """The lines of a chat answer; one that did not end lacks the final one."""
    said = "\n".join(message["content"] for message in request["messages"])
    text = json.dumps({"opinions": opinions(said)})
    lines = [{"model": NAME, "message": {"role": "assistant", "content": text}, "done": False}]
    if ended:
        last = {"model": NAME, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
        lines.append(last | {"prompt_eval_count": len(said) // 4, "eval_count": len(text) // 4})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def opinions(prompt: str) -> list[dict[str, Any]]:
    """One opinion per case of the prompt."""
    role = re.search(r"You are the (\w+)", prompt)
    veto = {"veto": False} if role is not None and role[1].lower() == "auditor" else {}
    return [
        {"case_id": case_id, "vote": "confirm", "reasons": [f"Hits so far: {{{{{items[0]}.hits}}}}."], "citations": items[:2],
         "action": "watch", "confidence": "high", **veto}
        for case_id, items in offered(prompt).items() if items
    ]  # fmt: skip


def offered(prompt: str) -> dict[str, list[str]]:
    """Case ids of a prompt, and the ids of the items offered for each.

    >>> offered("case case-1f:\\ne1 (episode): …\\ne2 (anomaly): …")
    {'case-1f': ['e1', 'e2']}
    """
    found: dict[str, list[str]] = {}
    for line in prompt.splitlines():
        if match := re.match(r"case (case-\w+):", line):
            found[match[1]] = []
        elif found and (match := re.match(r"(e\d+) \(", line)):
            found[list(found)[-1]].append(match[1])
    return found
