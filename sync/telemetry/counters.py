"""Counters that all processes of an installation share: ``is:count:<name>``, a hash of label values to numbers.

They are gathered in the process and brought to the store about once a second, so that counting costs a flood of
requests nothing, and needs no store that answers.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections import Counter
from typing import cast

import redis

from sync.storage.store import PREFIX, Store

log = logging.getLogger(__name__)

#: For how long counts stay in the process, in seconds.
GATHER_S = 1.0

#: What parts the values of two labels; no channel's name and no reason has it.
_APART = "|"


class Counters:
    """The counters of one store. Safe across threads.

    Parameters:
        store: Where they are shared.
        gather_s: For how long counts stay in the process, in seconds; infinite: until :meth:`flush`.
    """

    def __init__(self, store: Store, *, gather_s: float = GATHER_S) -> None:
        self.store = store
        self._gather_s = gather_s
        self._waiting: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._process = os.getpid()

    def add(self, name: str, *labels: str, by: int = 1) -> None:
        """Count. Reaches the store a little later."""
        with self._lock:
            if self._process != os.getpid():  # forked: the timer is the parent's, and so is what was counted there
                self._process, self._waiting, self._timer = os.getpid(), Counter(), None
            self._waiting[name, _APART.join(labels)] += by
            if self._timer is None and self._gather_s < math.inf:
                self._timer = threading.Timer(self._gather_s, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Bring to the store what was counted. What it cannot be asked to take is kept for the next time."""
        with self._lock:
            counted, self._waiting = self._waiting, Counter()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        if not counted:
            return
        pipeline = self.store.client.pipeline(transaction=False)
        for (name, labels), number in counted.items():
            pipeline.hincrby(_key(name), labels, number)
        try:
            pipeline.execute()
        except redis.ConnectionError:
            with self._lock:
                self._waiting += counted
        except redis.RedisError as error:
            log.warning("counters are lost, the store does not take them: %s", error)

    def read(self, name: str) -> dict[tuple[str, ...], int]:
        """The sums of all processes, by label values."""
        found = cast("dict[str, str]", self.store.client.hgetall(_key(name)))
        return {tuple(labels.split(_APART)): int(number) for labels, number in sorted(found.items())}


def _key(name: str) -> str:
    return f"{PREFIX}count:{name}"
