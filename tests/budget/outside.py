"""Channels that count calls, as they might really do it, and callers on a timeline that is played, not slept."""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from channels.services import Quota
from sync.budget import StoreBudget, Urgency, urgency
from tests.conftest import START_MS, TimedStore

OPERATION = "call"

#: What becomes of a caller that got leave: it is answered; its answer is lost after the channel counted it; it dies
#: before its request is sent, or after the channel counted it.
Fate = Literal["answered", "lost", "dies before", "dies after"]


class Timeline:
    """Events in the order of their times. It is also the store's clock."""

    def __init__(self) -> None:
        self.ms = START_MS
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def __call__(self) -> int:
        return self.ms

    def advance(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)

    def after(self, ms: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.ms + max(0, round(ms)), next(self._numbers), event))

    def play(self, *, until_ms: int) -> None:
        while self._events and self._events[0][0] <= until_ms:
            at, _, event = heapq.heappop(self._events)
            self.ms = at
            event()

    @property
    def over(self) -> bool:
        return not self._events


class Outside(Protocol):
    """A channel that counts."""

    def take(self, now_ms: int) -> tuple[bool, Quota]:
        """One call arrives: whether it is served, and what its answer tells."""


@dataclass(slots=True)
class Windows:
    """So many calls in a window, windows without a gap, as BigCommerce counts them."""

    limit: int
    window_ms: int
    #: When the first window began; the store's clock has nothing to do with it.
    began_ms: int
    #: Whether an answer tells the limit and the length of a window, or only what is left and the reset.
    talkative: bool = True
    used: int = 0
    number: int = 0
    #: When another app last called in this window, and when the limit last changed.
    spent_ms: int = 0
    changed_ms: int = 0

    def number_at(self, ms: int) -> int:
        return (ms - self.began_ms) // self.window_ms

    def roll(self, now_ms: int) -> None:
        number = self.number_at(now_ms)
        if number != self.number:
            self.number, self.used, self.spent_ms = number, 0, 0

    def take(self, now_ms: int) -> tuple[bool, Quota]:
        self.roll(now_ms)
        served = self.used < self.limit
        self.used += served
        ends = self.began_ms + (self.number + 1) * self.window_ms
        left, reset_s = max(0, self.limit - self.used), (ends - now_ms) / 1000
        if not self.talkative:
            return served, Quota(left=left, reset_s=reset_s)
        return served, Quota(left=left, limit=self.limit, reset_s=reset_s, window_s=self.window_ms / 1000)

    def spend(self, now_ms: int, calls: int) -> None:
        """Another app calls."""
        self.roll(now_ms)
        self.used, self.spent_ms = min(self.limit, self.used + calls), now_ms

    def change(self, now_ms: int, limit: int) -> None:
        """The quota becomes another in the middle of a window."""
        self.roll(now_ms)
        self.limit, self.changed_ms = limit, now_ms


@dataclass(slots=True)
class Tokens:
    """A token bucket, as Amazon counts."""

    rate: float
    burst: int
    tokens: float
    at_ms: int = START_MS

    def take(self, now_ms: int) -> tuple[bool, Quota]:
        self.tokens = min(self.burst, self.tokens + (now_ms - self.at_ms) * self.rate / 1000)
        self.at_ms = now_ms
        served = self.tokens >= 1 - 1e-9
        self.tokens -= served
        return served, Quota(rate=self.rate) if served else Quota()


@dataclass(slots=True)
class Caller:
    """One process that wants to make one call, and how it goes."""

    starts_ms: int
    urgency: Urgency = Urgency.BULK
    #: How long its request takes to be counted, and the answer to come back.
    up_ms: int = 20
    down_ms: int = 20
    fate: Fate = "answered"
    #: How it went; times are ms.
    asked: int = 0
    put_off: int = 0
    granted_ms: int = 0
    counted_ms: int = 0
    done_ms: int = 0
    served: bool = False
    told: bool = False


@dataclass
class Play:
    """Callers of one credential before one channel."""

    store: TimedStore
    outside: Outside
    plans: dict[str, Quota] = field(default_factory=dict)
    reserve: float = 0.0
    wait_s: float = 2.0
    draw: float = 0.5
    #: Of answers, those for which this says so tell nothing of the quota.
    mute: Callable[[int], bool] = lambda _: False
    #: Called when the channel refuses.
    refused: Callable[[Caller], None] = lambda _: None

    def __post_init__(self) -> None:
        self.timeline = Timeline()
        self.store.clock = self.timeline  # type: ignore[assignment]
        self.budget = StoreBudget(
            self.store, "store", uuid.uuid4().hex, self.plans, self.reserve, self.wait_s, draw=lambda: self.draw
        )
        self.callers: list[Caller] = []
        self.answers = 0

    def call(self, *callers: Caller) -> None:
        for caller in callers:
            self.callers.append(caller)
            self.timeline.after(
                caller.starts_ms, lambda caller=caller: self._ask(caller, uuid.uuid4().hex, self.wait_s)
            )

    def run(self, *, for_s: float) -> None:
        self.timeline.play(until_ms=START_MS + round(for_s * 1000))

    def _ask(self, caller: Caller, token: str, left_s: float) -> None:
        caller.asked += 1
        with urgency(caller.urgency):
            verdict, delay_s = self.budget.ask(OPERATION, token, left_s)
        if verdict == "go":
            caller.granted_ms = self.timeline.ms
            self._send(caller, token)
        elif verdict == "wait":
            assert 0 < delay_s <= left_s + 0.001
            self.timeline.after(delay_s * 1000, lambda: self._ask(caller, token, left_s - delay_s))
        else:
            assert delay_s > left_s - 0.001
            caller.put_off += 1
            self.timeline.after(delay_s * 1000, lambda: self._ask(caller, uuid.uuid4().hex, self.wait_s))

    def _send(self, caller: Caller, token: str) -> None:
        if caller.fate == "dies before":
            caller.done_ms = self.timeline.ms
            return

        def arrive() -> None:
            caller.counted_ms = self.timeline.ms
            caller.served, quota = self.outside.take(self.timeline.ms)
            if not caller.served:
                self.refused(caller)
            self.answers += 1
            if self.mute(self.answers):
                quota = Quota()
            if caller.fate == "dies after":
                caller.done_ms = self.timeline.ms
            else:
                self.timeline.after(caller.down_ms, lambda: answer(quota))

        def answer(quota: Quota) -> None:
            caller.done_ms = self.timeline.ms
            lost = caller.fate == "lost"
            caller.told = not lost and quota != Quota()
            throttled_s = None if caller.served or lost else quota.reset_s or 0.0
            self.budget.tell(OPERATION, token, Quota() if lost else quota, throttled_s=throttled_s)

        self.timeline.after(caller.up_ms, arrive)


def granted(callers: Sequence[Caller]) -> list[Caller]:
    """Those that got leave, in that order."""
    return sorted((caller for caller in callers if caller.granted_ms), key=lambda caller: caller.granted_ms)
