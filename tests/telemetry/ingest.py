"""Where Sentry's envelopes arrive: a server on this machine that unpacks them."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Ingest:
    """What has arrived."""

    port: int
    #: Every envelope as it was before it was packed.
    envelopes: list[bytes] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        return f"http://public@127.0.0.1:{self.port}/1"

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The contents of all items of one type."""
        return [content for envelope in list(self.envelopes) for type_, content in unpack(envelope) if type_ == kind]

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.items("event")

    @property
    def check_ins(self) -> list[tuple[str, str]]:
        """Monitor and status of each check-in."""
        return [(item["monitor_slug"], item["status"]) for item in self.items("check_in")]


def unpack(envelope: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Type and content of each item."""
    _, _, rest = envelope.partition(b"\n")
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        header = json.loads(line)
        length = header.get("length", rest.find(b"\n"))
        yield header["type"], json.loads(rest[:length])
        rest = rest[length:].lstrip(b"\n")


@contextmanager
def ingest() -> Iterator[Ingest]:
    """A server that takes envelopes while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            found.envelopes.append(gzip.decompress(body) if packed else body)
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def _answer(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Ingest(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
