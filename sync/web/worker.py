"""A gunicorn worker that hangs up on whoever takes too long to send a request.

Gunicorn's threads wait for a request to its end, however slowly it drips; a few dozen such senders would take all of
them, and events of the stores would find nobody. A proxy that gathers requests first does the same, where there is one.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped, unused-ignore]

#: Seconds that a thread waits for a request, its body included; whoever is no attacker takes milliseconds.
REQUEST_S = 5.0


class PatientWorker(ThreadWorker):  # type: ignore[misc, unused-ignore]
    """Gunicorn's worker of threads, with an end to its patience."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._begun: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:
        """One request, in a thread of its own."""
        self._begun[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            del self._begun[conn]

    def notify(self) -> None:
        """Told about once a second, by the thread that accepts."""
        super().notify()
        for conn, begun in list(self._begun.items()):
            if time.monotonic() - begun > REQUEST_S:
                with suppress(OSError):  # it went away by itself
                    conn.sock.shutdown(socket.SHUT_RD)
