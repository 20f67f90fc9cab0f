"""The sandbox's quota: a fixed window of calls, shared by all who call the store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Quota:
    """Calls in windows that follow each other without a gap, as BigCommerce counts them.

    Parameters:
        clock: Seconds.
        limit: Calls allowed in a window; ``None``: unlimited.
        window_s: Length of a window.
        headers: Whether answers tell of the quota. A 429 without headers means load on the platform.
        retry_after_s: Sent as ``X-Retry-After`` with a 429; may be longer than what is left of the window.
    """

    clock: Callable[[], float]
    limit: int | None = 150
    window_s: float = 30.0
    headers: bool = True
    retry_after_s: int | None = None
    #: Calls that were refused so far.
    refused: int = 0
    _began: float = field(init=False)
    _used: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def take(self) -> tuple[bool, Mapping[str, str]]:
        """Spend one call: whether it is allowed, and the headers to tell of it."""
        with self._lock:
            self._roll()
            allowed = self.limit is None or self._used < self.limit
            if allowed:
                self._used += 1
            else:
                self.refused += 1
            return allowed, self._told(allowed)

    def spend(self, calls: int) -> None:
        """Let another app of the same store make so many calls, as far as the window allows."""
        with self._lock:
            self._roll()
            self._used = self._used + calls if self.limit is None else min(self._used + calls, max(self.limit, 0))

    @property
    def used(self) -> int:
        """Calls spent in the current window, by anyone."""
        with self._lock:
            self._roll()
            return self._used

    def _roll(self) -> None:
        passed = self.clock() - self._began
        if passed >= self.window_s:
            self._began += passed // self.window_s * self.window_s
            self._used = 0

    def _told(self, allowed: bool) -> dict[str, str]:
        if not self.headers:
            return {}
        limit = 1_000_000 if self.limit is None else self.limit
        reset_ms = max(1, round((self._began + self.window_s - self.clock()) * 1000))
        told = {
            "X-Rate-Limit-Time-Window-Ms": str(round(self.window_s * 1000)),
            "X-Rate-Limit-Time-Reset-Ms": str(reset_ms),
            "X-Rate-Limit-Requests-Quota": str(limit),
            "X-Rate-Limit-Requests-Left": str(max(0, limit - self._used)),
        }
        if not allowed and self.retry_after_s is not None:
            told["X-Retry-After"] = str(self.retry_after_s)
        return told
