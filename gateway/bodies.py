"""Request bodies: decompressed, and never larger than allowed, however small a bomb they were packed into."""

import zlib
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GZIP = 31  # zlib's window bits for a gzip member
STEP = 262_144  # bytes unpacked at once


class Bodies:
    """ASGI middleware: caps each body (as sent and as unpacked) and unpacks `Content-Encoding: gzip`.

    `allowed(path)` gives the most bytes. What is too large is refused with 413 while it is read, so nothing large is ever held.
    """

    def __init__(self, app: ASGIApp, allowed: Callable[[str], int]) -> None:
        self.app, self.allowed = app, allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        packing = headers.get("content-encoding", "identity").strip().lower()
        if packing in ("gzip", "x-gzip"):
            kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-encoding", b"content-length")]
            scope = {**scope, "headers": kept}
        body = Body(receive, self.allowed(scope["path"]), packing, headers.get("content-length"))
        await self.app(scope, body.receive, send)


class Body:
    """One request's body on its way in."""

    def __init__(self, receive: Receive, most: int, packing: str, told: str | None) -> None:
        self._receive, self._most, self._packing, self._told = receive, most, packing, told
        self._unpack = zlib.decompressobj(wbits=GZIP) if packing in ("gzip", "x-gzip") else None
        self._sent = self._out = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        self._check_promise()
        part = message.get("body", b"")
        self._sent += len(part)
        self._check(self._sent)
        if self._unpack is not None:
            part = self._unpacked(part, last=not message.get("more_body", False))
        else:
            self._out += len(part)
        return {**message, "body": part}

    def _check_promise(self) -> None:
        if self._packing not in ("identity", "gzip", "x-gzip"):
            raise HTTPException(415, f"Content-Encoding {self._packing[:40]!r} is not taken; gzip or none is.")
        if self._told is not None and self._told.isdigit():
            self._check(int(self._told))

    def _check(self, size: int) -> None:
        if size > self._most:
            raise HTTPException(413, f"The body may have at most {self._most:,} bytes.")

    def _unpacked(self, part: bytes, last: bool) -> bytes:
        """The part unpacked, a step at a time; members that follow one another are read on."""
        out = bytearray()
        try:
            while part:
                assert self._unpack is not None
                step = self._unpack.decompress(part, STEP)
                self._out += len(step)
                self._check(self._out)
                out += step
                part = self._unpack.unconsumed_tail
                if self._unpack.eof:
                    part = self._unpack.unused_data
                    if part:
                        self._unpack = zlib.decompressobj(wbits=GZIP)
        except zlib.error:
            raise HTTPException(400, "The body is not valid gzip.") from None
        if last and self._sent and self._unpack is not None and not self._unpack.eof:
            raise HTTPException(400, "The gzip body ends too early.")
        return bytes(out)
