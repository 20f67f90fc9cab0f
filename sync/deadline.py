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
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        alive: Callable[[], object] | None = None,
    ) -> None:
        self._clock = clock
        self._alive = alive
        self._end = clock() + seconds

    @property
    def over(self) -> bool:
        """Whether it has passed."""
        if self._alive:
            self._alive()
        return self._clock() >= self._end
