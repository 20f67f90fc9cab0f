"""Whether the broker would take a ring, asked no more often than is worth knowing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from kombu.exceptions import OperationalError

if TYPE_CHECKING:
    from sync.celery import SyncApp

#: For how long an answer of the broker counts, in seconds.
FRESH_S = 1.0


class BrokerDown(Exception):
    """The broker does not answer."""


class Broker:
    """The broker of one app. Safe across threads: one asks, the others wait for its answer.

    Parameters:
        celery: Whose broker.
        patience_s: Seconds to wait for an answer.
        clock: Seconds that never go back.
    """

    def __init__(self, celery: SyncApp, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._celery = celery
        self._patience_s = patience_s
        self._clock = clock
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._trouble: str | None = None

    def check(self) -> None:
        """Make sure that the broker answered a moment ago.

        Raises:
            BrokerDown: it did not.
        """
        with self._lock:
            if self._clock() - self._asked_at >= FRESH_S:
                self._trouble = self._ask()
                self._asked_at = self._clock()
            trouble = self._trouble
        if trouble is not None:
            raise BrokerDown(f"the broker does not answer: {trouble}")

    def _ask(self) -> str | None:
        try:
            with self._celery.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=self._patience_s)
        except (OperationalError, OSError) as error:
            return str(error)
        return None
