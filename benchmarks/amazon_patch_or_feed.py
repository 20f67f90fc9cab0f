"""How many changed listings are worth a feed: calls and time by patches and by feeds, under Amazon's documented rates.

The adapter talks to the mock over real HTTP; only time is simulated. A call takes ``LATENCY_S``, a caller waits for
a token of the operation's bucket as the shared budget would, and the mock enforces the same buckets by the same
clock, so a 429 in the last line would mean that the adapter cannot keep to them. How long Amazon works on a feed is
not documented; the table has three guesses. Run: ``python benchmarks/amazon_patch_or_feed.py``.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from channels import Services, Write
from channels.amazon import AmazonChannel, AmazonSettings
from channels.amazon.limits import LIMITS
from channels.amazon.sandbox import AmazonSandbox
from channels.services import Quota

#: What one call takes, in seconds.
LATENCY_S = 0.15

#: How long Amazon may work on a feed, in seconds.
FEED_TAKES_S = (60.0, 300.0, 900.0)

CHANGED = (100, 500, 1000, 1500, 2000, 3000, 5000)


class Clock:
    """Simulated time."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class Paced:
    """A budget with foresight: it waits, in simulated time, until the operation's bucket holds a token."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limits = {limit.operation: limit for limit in LIMITS}
        self._buckets = {limit.operation: (float(limit.burst), clock()) for limit in LIMITS}

    def enter(self, operation: str) -> None:
        limit = self._limits[operation]
        tokens, since = self._buckets[operation]
        tokens = min(limit.burst, tokens + (self._clock.now - since) * limit.per_s)
        if tokens < 1:
            self._clock.now += (1 - tokens) / limit.per_s
            tokens = 1.0
        self._buckets[operation] = (tokens - 1, self._clock.now)
        self._clock.now += LATENCY_S

    def leave(
        self, operation: str, quota: Quota, *, throttled_s: float | None = None, status: int | None = None
    ) -> None:
        """Learns nothing: the documented rates are the ones in force."""


class Cost(NamedTuple):
    """What it took until Amazon showed every new level."""

    calls: int
    seconds: float
    throttled: int


def cost(changed: int, *, by_feed: bool, feed_takes_s: float = 0.0) -> Cost:
    """Write so many listings one way, and wait until all are shown."""
    clock = Clock()
    sandbox = AmazonSandbox(clock=clock)
    sandbox.feeds.takes_s = feed_takes_s
    names = [f"SKU-{number:05}" for number in range(changed)]
    for name in names:
        sandbox.account.put(name, 10)
    with sandbox.serve() as url:
        settings = AmazonSettings.model_validate(sandbox.settings(url) | {"feed_from": 1 if by_feed else 0})
        channel = AmazonChannel("amazon", settings, Services(budget=Paced(clock)))
        began = clock()
        size = channel.capabilities.bulk_batch if by_feed else channel.capabilities.write_batch
        for start in range(0, changed, size):
            batch = [Write(name, name, 4, 10) for name in names[start : start + size]]
            refused = [outcome for outcome in channel.write(batch) if outcome.result != "accepted"]
            assert not refused, refused[:3]
        sent = clock()
        clock.now += feed_takes_s
        assert all(sandbox.account.shown(name) == 4 for name in names)
        channel.close()
    throttled = sum(call.status == 429 for call in sandbox.calls)
    return Cost(len(sandbox.calls), sent - began + feed_takes_s, throttled)


def main() -> None:
    """Print the table and where the ways cross."""
    heads = [f"feed of {takes_s:.0f} s" for takes_s in FEED_TAKES_S]
    print(f"{'changed':>8}{'patches':>20}" + "".join(f"{head:>20}" for head in heads))
    throttled = 0
    for changed in CHANGED:
        costs = [cost(changed, by_feed=False)]
        costs += [cost(changed, by_feed=True, feed_takes_s=takes_s) for takes_s in FEED_TAKES_S]
        throttled += sum(one.throttled for one in costs)
        cells = (f"{one.calls:>6} calls {one.seconds:>5.0f} s" for one in costs)
        print(f"{changed:>8}" + "".join(f"{cell:>20}" for cell in cells))
    print(f"429s: {throttled}")


if __name__ == "__main__":
    main()
