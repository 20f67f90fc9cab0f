"""Token buckets with the rates that Amazon documents."""

from __future__ import annotations

import threading
from collections.abc import Callable

from channels.amazon.limits import Limit

#: How much of a token may be missing: seconds since 1970 are too coarse for fractions to add up to exactly one.
TOLERANCE = 1e-3


class Buckets:
    """One bucket for each operation, full at the start. Safe across threads.

    Parameters:
        clock: The time in seconds.
        scale: By how much every rate is faster than documented; ``None``: there are no limits.
    """

    def __init__(self, clock: Callable[[], float], scale: float | None = 1.0) -> None:
        self.scale = scale
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[float, float]] = {}

    def rate(self, limit: Limit) -> float:
        """Tokens that come back each second, as the header of an answer states them."""
        return limit.per_s * (self.scale or 1.0)

    def take(self, limit: Limit) -> bool:
        """Take one token, if there is one."""
        if self.scale is None:
            return True
        now = self._clock()
        with self._lock:
            tokens, since = self._tokens.get(limit.operation, (float(limit.burst), now))
            tokens = min(limit.burst, tokens + (now - since) * self.rate(limit))
            granted = tokens >= 1 - TOLERANCE
            self._tokens[limit.operation] = (tokens - 1 if granted else tokens, now)
            return granted

    def refill(self) -> None:
        """Fill all buckets."""
        with self._lock:
            self._tokens.clear()
