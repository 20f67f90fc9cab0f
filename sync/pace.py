"""How soon one small batch of calls follows another, so that a quota which comes by the window lasts to its end.

While half of a window's calls are left, each sale is read and written as soon as it comes. From then on a batch waits
until its part of the time that is left has gone by since the one before, and what comes meanwhile shares its calls.
Otherwise a steady trickle of sales, each with calls of its own, would use up the window, and the next one would be
seen nowhere for as many seconds as are left of it.

``is:pace:<task>:<channel>`` stands for as long as the next batch is to wait. It saves calls and is no lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sync.budget import Left, StoreBudget
from sync.context import Context
from sync.storage.store import PREFIX

#: The part of a window's calls from which on they are spaced.
FREELY = 0.5

#: The longest that a batch waits for its calls, in seconds: a sale is to be seen everywhere within one.
MOST_S = 0.8

#: The calls that a batch stands for: twice its own, for others make some too.
CALLS = {"sync.refresh": 2, "sync.push": 4}


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of one task on one channel."""

    context: Context
    task: str
    channel: str
    sleep: Callable[[float], None] = time.sleep

    def wait(self) -> bool:
        """Wait for this batch's turn. True: it was waited, so that there may be more to do by now; ask again."""
        budget = self.context.channel(self.channel).services.budget
        if not isinstance(budget, StoreBudget):
            return False
        left = budget.left([""]).get("all")
        apart_ms = round(interval_s(left, CALLS[self.task], budget.reserve) * 1000) if left else 0
        key, client = f"{PREFIX}pace:{self.task}:{self.channel}", self.context.store.client
        if apart_ms <= 0 or client.set(key, "1", px=apart_ms, nx=True):
            return False
        self.sleep(max(0, client.pttl(key)) / 1000)
        return True


def interval_s(left: Left, calls: int, reserve: float = 0.0) -> float:
    """How far apart batches of so many calls are to begin, in seconds; 0 where there is no need.

    ``reserve``: the part of the quota that is left to other apps.
    """
    ours, limit = left.calls - reserve * left.limit, (1 - reserve) * left.limit
    if left.ends_s == 0 or ours >= FREELY * limit:
        return 0.0
    return min(MOST_S, calls * left.ends_s / max(1.0, ours))
