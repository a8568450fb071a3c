"""The dashboard as people meet it: served with sign-in on a seeded database, and the receiver of its commands."""

import contextlib
import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from bronzed import bronze
from browser import served
from caseload import NOON
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pydantic import SecretStr
from seed import seed

from desk import loop
from rag.runbook import reembed
from store.database import Database, connect
from store.settings import Settings
from trust import keys
from trust.roles import Role

LATE_MS = 60_000
SECRET = "a secret of the tests"


@dataclass
class Receiver:
    """A local receiver of webhooks that keeps what came."""

    url: str
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    found: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.append(({name.lower(): value for name, value in self.headers.items()}, body))
            answer = json.dumps({"done": True}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Receiver(f"http://127.0.0.1:{server.server_port}/commands", found)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class Site:
    """Where it is, its database, a browser, and the keys of three people."""

    address: str
    database: Database
    settings: Settings
    browser: Browser
    receiver: Receiver
    keys: dict[str, str]
    states: dict[str, Any] = field(default_factory=dict)

    def work(self) -> None:
        """What `conclave operate` does for the desk."""
        while loop.step(self.database, self.settings):
            pass

    def context(self, role: str, width: int = 1280, scheme: str = "light", zone: str = "Europe/Berlin") -> BrowserContext:
        """A browser of somebody who is signed in; any dialog would be hostile text at work."""
        if role not in self.states:
            self.states[role] = self._signed_in(role)
        return self.browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, timezone_id=zone, storage_state=self.states[role],  # type: ignore[arg-type]
        )  # fmt: skip

    def _signed_in(self, role: str) -> Any:
        context = self.browser.new_context()
        page = context.new_page()
        page.goto(f"{self.address}/settings")
        page.get_by_label("API key").fill(self.keys[role], timeout=LATE_MS)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("Signed in as")).to_be_visible(timeout=LATE_MS)
        page.wait_for_function("document.cookie.includes('conclave_session')", timeout=LATE_MS)
        state = context.storage_state()
        context.close()
        return state

    def open(self, path: str, shown: str, role: str = "analyst", **how: Any) -> Page:
        """A page that shows what it is about."""
        page = self.context(role, **how).new_page()
        page.on("dialog", lambda dialog: pytest.fail(f"hostile text ran: {dialog.message}"))
        page.goto(f"{self.address}/{path}")
        expect(page.get_by_text(shown).first).to_be_visible(timeout=LATE_MS)
        return page


@contextlib.contextmanager
def standing(browser: Browser, url: str, folder: Path) -> Iterator[Site]:
    """Seed the database, make keys, open its cases and serve the pages."""
    with Database(url) as database, receiving() as receiver:
        desk = {"webhook_url": receiver.url, "webhook_secret": SecretStr(SECRET)}
        settings = Settings(database_url=SecretStr(url), home=folder / "home", desk=desk)  # type: ignore[arg-type]
        seed(database)
        bronze(Path(settings.bronze), NOON)
        reembed(database, tenant="main")
        made = {role.name: key(database, role) for role in Role}
        variables = {
            "CONCLAVE_DATABASE_URL": url,
            "CONCLAVE_HOME": str(folder / "home"),
            "CONCLAVE_DASHBOARD__REFRESH_S": "0.5",
            "NOTIFY_TEST_HOOK": SECRET,
            "CONCLAVE_MODEL__ENABLED": "false",
            "CONCLAVE_DESK__WEBHOOK_URL": receiver.url,
            "CONCLAVE_DESK__WEBHOOK_SECRET": SECRET,
        }
        with served(folder, **variables) as address:
            site = Site(address, database, settings, browser, receiver, made)
            site.work()
            yield site


def key(database: Database, role: Role) -> str:
    with database.connection() as connection:
        return keys.create(connection, "main", f"Robin the {role.name}", role, actor="system:test", now=datetime.now(UTC)).text


@contextlib.contextmanager
def fresh(server: str) -> Iterator[str]:
    """A database cloned from the session's template, as tests/conftest.py makes one a test."""
    name = f"site_{uuid.uuid4().hex[:12]}"
    with connect(server) as connection:
        connection.execute(f"create database {name} template conclave_template".encode())
        try:
            yield server.rpartition("/")[0] + f"/{name}"
        finally:
            connection.execute(f"drop database {name} with (force)".encode())
