"""As much of S3 as is used here (ListObjectsV2 and GetObject), on the loopback, with the faults that tests ask for."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "till-exports"

#: Keys on one page of a listing.
PAGE = 2


class S3Stub:
    """A bucket in memory."""

    def __init__(self) -> None:
        #: Content and time by key.
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        #: Method and key (or ``?list``) of each request.
        self.requests: list[str] = []
        #: Answer everything with this status and code instead.
        self.refuse: tuple[int, str] | None = None
        #: Called before an object is given.
        self.on_get: Callable[[str], None] = lambda key: None
        #: Give only so many bytes of an object, then hang up.
        self.cut_after: int | None = None
        self.url = ""

    def put(self, key: str, content: str, at: datetime) -> None:
        self.objects[key] = (content.encode(), at)

    def etag(self, key: str) -> str:
        return f'"{hashlib.md5(self.objects[key][0]).hexdigest()}"'

    def listing(self, query: dict[str, list[str]]) -> str:
        prefix, after = query.get("prefix", [""])[0], query.get("continuation-token", [""])[0]
        assert query["delimiter"] == ["/"]
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        keys = [key for key in keys if "/" not in key.removeprefix(prefix)]
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{self.objects[key][1]:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{escape(self.etag(key))}</ETag><Size>{len(self.objects[key][0])}</Size></Contents>"
            for key in keys[:PAGE]
        )
        more = len(keys) > PAGE
        token = f"<NextContinuationToken>{escape(keys[PAGE - 1])}</NextContinuationToken>" if more else ""
        return (
            f"<ListBucketResult><Name>{BUCKET}</Name><IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}"
            "</ListBucketResult>"
        )


def _handler(stub: S3Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            _, bucket, key = (*unquote(address.path).split("/", 2), "")[:3]
            stub.requests.append(f"GET {key or '?list'}")
            if stub.refuse:
                self._error(*stub.refuse)
            elif bucket != BUCKET:
                self._error(404, "NoSuchBucket")
            elif not key:
                self._send(200, stub.listing(parse_qs(address.query)).encode(), {"Content-Type": "application/xml"})
            else:
                self._object(key)

        def do_PUT(self) -> None:
            raise AssertionError("nothing may be changed")

        do_DELETE = do_POST = do_PUT  # noqa: N815

        def _object(self, key: str) -> None:
            stub.on_get(key)
            if key not in stub.objects:
                self._error(404, "NoSuchKey")
            elif self.headers["If-Match"] != stub.etag(key):
                self._error(412, "PreconditionFailed")
            else:
                content, _ = stub.objects[key]
                self._send(200, content, {"ETag": stub.etag(key)}, stub.cut_after)

        def _error(self, status: int, code: str) -> None:
            text = f"<Error><Code>{code}</Code><Message>{code} it is</Message></Error>"
            self._send(status, text.encode(), {"Content-Type": "application/xml"})

        def _send(self, status: int, content: bytes, headers: dict[str, str], cut_after: int | None = None) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:cut_after])
            if cut_after is not None:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serving() -> Iterator[S3Stub]:
    """A bucket for as long as the block runs."""
    stub = S3Stub()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(stub)) as server:
        stub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
