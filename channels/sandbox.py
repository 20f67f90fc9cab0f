"""What the sandboxes share: a real HTTP server in a thread, and trouble made to order.

A sandbox stands in for a channel in the demo, in tests and for those who have no trial store. It keeps its
world in memory and is no place for real data.
"""

from __future__ import annotations

import random
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: What can be done to a request. ``answer``: a status and the channel's own body for it, nothing applied.
#: ``hang up``: closed without an answer, nothing applied. ``drop``: applied, then closed without an answer.
#: ``lost 500``: applied, then answered with a 500. ``garbage``: a 200 of HTML, nothing applied.
#: ``slow``: answered after ``seconds``.
FaultKind = Literal["answer", "hang up", "drop", "lost 500", "garbage", "slow"]


@dataclass(slots=True)
class Fault:
    """Trouble for the requests it matches.

    Parameters:
        kind: What happens.
        match: A regular expression searched in ``METHOD /path?query``.
        times: How often it still strikes; ``None`` for ever.
        chance: The probability with which it strikes a matching request.
        status: For ``answer``: the HTTP status.
        headers: For ``answer``: headers of the answer.
        seconds: For ``slow``: the delay.
    """

    kind: FaultKind
    match: str = ""
    times: int | None = None
    chance: float = 1.0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class Faults:
    """The trouble that a sandbox makes, in the order in which it was asked for. Safe across threads."""

    def __init__(self, seed: int = 0) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._random = random.Random(seed)

    def add(self, fault: Fault) -> None:
        """Make this trouble from now on."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Make no more trouble."""
        with self._lock:
            self._faults.clear()

    def draw(self, request_line: str) -> Fault | None:
        """The trouble for this request, if any; counts down its ``times``."""
        with self._lock:
            for fault in self._faults:
                if fault.times == 0 or not re.search(fault.match, request_line):
                    continue
                if fault.chance < 1 and self._random.random() >= fault.chance:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


class Troubled:
    """A WSGI application with trouble in front of it, and a log of the requests that reached it.

    Requests below ``/_sandbox`` (the control surface) are neither troubled nor logged.

    Parameters:
        app: The sandbox itself.
        faults: The trouble to make.
        error: The channel's own answer for a status, headers and body.
    """

    def __init__(self, app: WSGIApplication, faults: Faults, error: Callable[[int], Response]) -> None:
        self.app = app
        self.faults = faults
        self.error = error
        #: ``METHOD /path?query`` of every request so far.
        self.requests: list[str] = []

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING")
        if path.startswith("/_sandbox"):
            return self.app(environ, start_response)
        line = f"{environ['REQUEST_METHOD']} {path}{'?' + query if query else ''}"
        self.requests.append(line)
        fault = self.faults.draw(line)
        if fault is None:
            return self.app(environ, start_response)
        if fault.kind == "slow":
            time.sleep(fault.seconds)
            return self.app(environ, start_response)
        if fault.kind in ("drop", "lost 500"):
            _swallow(self.app, environ)
        else:
            _read_body(environ)
        if fault.kind in ("drop", "hang up"):
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("the sandbox was told to hang up")
        if fault.kind == "garbage":
            return Response("<html><body>Temporarily elsewhere</body></html>", mimetype="text/html")(
                environ, start_response
            )
        answer = self.error(fault.status if fault.kind == "answer" else 500)
        answer.headers.update(fault.headers)
        return answer(environ, start_response)


def _read_body(environ: WSGIEnvironment) -> None:
    """Read what was sent, so that the connection can go on being used."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length:
        environ["wsgi.input"].read(length)


def _swallow(app: WSGIApplication, environ: WSGIEnvironment) -> None:
    """Run the application to its end and forget what it answers."""

    def start_response(*_: Any) -> Callable[[bytes], object]:
        return lambda _chunk: None

    for _ in app(environ, start_response):
        pass


class _Handler(WSGIRequestHandler):
    """Keeps connections open as real channels do, and is silent."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""

    def send_response(self, code: int, message: str | None = None) -> None:
        """The first line alone: a sandbox may tell a time of its own."""
        self.send_response_only(code, message)

    def end_headers(self) -> None:
        """With the time, where the sandbox has told none."""
        buffer: list[bytes] = self.__dict__.get("_headers_buffer", [])
        if not any(line.lower().startswith(b"date:") for line in buffer):
            self.send_header("Date", self.date_time_string())
        super().end_headers()


@contextmanager
def served(app: WSGIApplication, port: int = 0, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve an application from a thread while the block runs; gives its base URL. Port 0: any free one."""
    server = make_server(host, port, app, threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
