"""How often the like of something happened lately, counted by all processes together.

A flood of reports is told of, and not passed on.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable

import redis

from sync.storage.store import PREFIX, Store

#: For how long the like of something is counted, in seconds, from the first of it.
HOUR_S = 3600


class Flood:
    """The counts on one store. Without it each process counts for itself.

    Parameters:
        store: Where it is counted. Its patience should be short: whoever reports an error waits for it.
        clock: Seconds that never go back, for counting alone.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self._clock = clock
        self._alone: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()

    def count(self, what: str) -> int:
        """Count one more; gives how many there were within the hour, this one included."""
        key = f"{PREFIX}reported:{hashlib.blake2b(what.encode(errors='replace'), digest_size=12).hexdigest()}"
        pipeline = self.store.client.pipeline(transaction=False)
        pipeline.incr(key)
        pipeline.expire(key, HOUR_S, nx=True)  # whoever comes next, should this process die in between
        try:
            return int(pipeline.execute()[0])
        except redis.RedisError:
            return self._count_alone(what)

    def _count_alone(self, what: str) -> int:
        hour = int(self._clock() // HOUR_S)
        with self._lock:
            for old in [key for key in self._alone if key[1] != hour]:
                del self._alone[old]
            self._alone[what, hour] += 1
            return self._alone[what, hour]


def is_told(number: int) -> bool:
    """Whether the so-manieth of its like is passed on: the 1st, the 10th, the 100th and so on."""
    return str(number).rstrip("0") == "1"
