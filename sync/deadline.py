"""How long one task may go on before it hands over to the next."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """A stretch of time. A task ends at the first good moment after it, and rings for another to go on.

    Parameters:
        seconds: Its length.
        clock: A monotonic clock, in seconds.
        alive: Called at each look, to say that the task is still at work (it renews its turn).
        cut_short: Whether it is over before its time: the process has been told to stop.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        alive: Callable[[], object] | None = None,
        cut_short: Callable[[], bool] = lambda: False,
    ) -> None:
        self._clock = clock
        self._alive = alive
        self._cut_short = cut_short
        self._end = clock() + seconds

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        if self._alive:
            self._alive()
        return self._cut_short() or self._clock() >= self._end
