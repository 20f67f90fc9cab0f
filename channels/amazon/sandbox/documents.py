"""Documents as the mock keeps them: blobs behind addresses that end after five minutes, outside the API."""

from __future__ import annotations

import gzip
import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

PREFIX = "/documents/"

#: How long an address is valid, in seconds (models feeds and reports 2021-06-30).
VALID_S = 300.0


@dataclass(slots=True)
class Blob:
    """One document; ``content`` is what was put there, not compressed."""

    content: bytes | None
    content_type: str
    compressed: bool = False


class Documents:
    """All documents of an account. Safe across threads.

    Parameters:
        clock: The time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        #: How many bytes of a document are given at most; ``None``: all.
        self.cut: int | None = None
        self._clock = clock
        self._lock = threading.Lock()
        self._blobs: dict[str, Blob] = {}
        self._addresses: dict[str, tuple[str, float]] = {}

    def add(self, content: bytes | None, content_type: str, *, compressed: bool = False, number: str = "") -> str:
        """Keep a document, or make room for one that is to be put; answers its id."""
        number = number or f"amzn1.doc.{uuid.uuid4()}"
        with self._lock:
            self._blobs[number] = Blob(content, content_type, compressed)
        return number

    def get(self, number: str) -> Blob | None:
        """A document."""
        with self._lock:
            return self._blobs.get(number)

    def drop_all(self) -> None:
        """Keep none of them any longer."""
        with self._lock:
            self._blobs.clear()

    def described(self, number: str, host_url: str) -> dict[str, Any] | None:
        """How the API points to a document, with a new address."""
        with self._lock:
            blob = self._blobs.get(number)
            if blob is None:
                return None
            key = secrets.token_hex(16)
            self._addresses[key] = (number, self._clock() + VALID_S)
        body = {"url": host_url.rstrip("/") + PREFIX + key}
        return body | ({"compressionAlgorithm": "GZIP"} if blob.compressed else {})

    def at(self, key: str) -> Blob | None:
        """The document behind an address that is still valid."""
        with self._lock:
            number, until = self._addresses.get(key, ("", 0.0))
            return self._blobs.get(number) if self._clock() < until else None


def blueprint(documents: Documents) -> Blueprint:
    """The routes behind the addresses. A request that carries an access token has told it to a stranger: refused."""
    routes = Blueprint("documents", __name__, url_prefix=PREFIX.rstrip("/"))

    @routes.before_request
    def no_token() -> Response | None:
        if "x-amz-access-token" in request.headers:
            return Response("<Error><Code>InvalidRequest</Code></Error>", 400, mimetype="application/xml")
        return None

    @routes.get("/<key>")
    def fetch(key: str) -> Response:
        blob = documents.at(key)
        if blob is None or blob.content is None:
            return _denied()
        content = gzip.compress(blob.content) if blob.compressed else blob.content
        return Response(content[: documents.cut], content_type=blob.content_type)

    @routes.put("/<key>")
    def put(key: str) -> Response:
        blob = documents.at(key)
        if blob is None or request.content_type != blob.content_type:
            return _denied()
        blob.content = request.get_data()
        return Response("")

    return routes


def _denied() -> Response:
    return Response("<Error><Code>AccessDenied</Code></Error>", 403, mimetype="application/xml")
