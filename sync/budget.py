"""One budget of calls for each credential, shared by every process that uses it (rule 10).

What is known of a quota stands in the store, and two Lua scripts decide: ``budget_enter`` gives leave for a call
or says when to ask again, ``budget_leave`` takes in what the answer told. Why that never allows too much is said
in ``lua/lib_budget.lua``. Here is who asks, how urgent it is, and how long it waits.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, NamedTuple, cast

import redis

from channels.contract import ChannelSettings
from channels.errors import Throttled
from channels.services import Quota
from sync.storage.store import PREFIX, Call, Store
from sync.telemetry.counters import Counters

log = logging.getLogger(__name__)

#: The longest that a call waits for leave, in seconds. Whoever would wait longer gives its worker slot back.
WAIT_S = 2.0

#: ``go``: make the call. ``wait``: ask again after the delay. ``off``: the delay is too long to wait for.
Verdict = Literal["go", "wait", "off"]


class Urgency(IntEnum):
    """What a call is for: the lower, the sooner it is served."""

    #: A write of nothing left: what is not there must not be sold.
    WRITE_TO_ZERO = 0
    #: A write to fewer than the channel shows.
    WRITE_DOWN = 1
    #: A look at listings that a webhook or an open write has marked: it may bring news of a sale.
    LOOK = 2
    #: A write to more than the channel shows.
    WRITE_UP = 3
    #: A full reading, and everything of which nothing is said.
    BULK = 4


_urgency: ContextVar[Urgency] = ContextVar("urgency", default=Urgency.BULK)


_made: ContextVar[int] = ContextVar("made", default=0)


def calls_made() -> int:
    """How many calls this thread has made on any budget so far; by two looks one knows whether any was made."""
    return _made.get()


@contextmanager
def urgency(value: Urgency) -> Iterator[None]:
    """Say what the channel calls of this block are for, in this thread.

    Example::

        with urgency(Urgency.WRITE_DOWN):
            channel.write(writes)
    """
    token = _urgency.set(value)
    try:
        yield
    finally:
        _urgency.reset(token)


class Left(NamedTuple):
    """How many calls may be made before somebody has to wait, and how many when the quota is fresh."""

    calls: float
    limit: float
    #: Seconds until it is fresh again at a stroke; 0 where it comes back bit by bit.
    ends_s: float = 0.0


def left_of(fields: Mapping[str, str], in_flight: int, now_ms: int) -> Left | None:
    """What is left of a quota as it stands in the store (see ``lua/lib_budget.lua``)."""
    known = {name: float(value) for name, value in fields.items() if name != "kind"}
    kind, ends_s = fields.get("kind"), 0.0
    if kind == "window":
        limit = known["limit"]
        used = 0.0 if now_ms >= known["ends"] else known["used"] + known["blind"]
        left, ends_s = limit - used - in_flight, max(0.0, known["ends"] - now_ms) / 1000
    elif kind == "bucket":
        limit = known["burst"]
        left = min(limit, known["tokens"] + max(0.0, now_ms - known["at"]) * known["rate"] / 1000) - in_flight
    else:
        return None
    return Left(0.0 if now_ms < known.get("pause", 0) else max(0.0, left), limit, ends_s)


@dataclass(slots=True)
class StoreBudget:
    """The budget of one channel's credential (see :class:`channels.services.Budget`). Safe across threads.

    Parameters:
        store: Where the quota's state is shared.
        channel: The channel's name, for errors.
        name: Names the credential; channels with the same name share one budget.
        plans: The quotas that the channel documents, by operation; all other operations share one quota.
        reserve: The share of the quota that is left to other apps.
        counters: Where each call is counted, by channel, operation and status.
        wait_s: The longest that a call waits for leave.
        sleep: Waits so many seconds.
        draw: Gives a number from 0 to 1, for jitter.
    """

    store: Store
    channel: str
    name: str
    plans: Mapping[str, Quota] = field(default_factory=dict)
    reserve: float = 0.0
    counters: Counters | None = None
    wait_s: float = WAIT_S
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = random.random
    _held: threading.local = field(default_factory=threading.local, init=False, repr=False)

    @classmethod
    def of(cls, store: Store, channel: str, settings: ChannelSettings, counters: Counters | None = None) -> StoreBudget:
        """The budget of a channel by its settings. What names the owner of the quota is hashed, never stored."""
        owner = "\n".join((settings.type, settings.quota_owner or channel))
        name = hashlib.sha256(owner.encode()).hexdigest()[:16]
        return cls(store, channel, name, plans=settings.quotas, reserve=settings.reserve, counters=counters)

    def enter(self, operation: str) -> None:
        """See :meth:`channels.services.Budget.enter`."""
        token, left_s = uuid.uuid4().hex, self.wait_s
        while True:
            verdict, delay_s = self.ask(operation, token, left_s)
            if verdict == "go":
                self._tokens(operation).append(token)
                return
            if verdict == "off":
                words = f"no call is left in our quota for {delay_s:.1f} s"
                raise Throttled(self.channel, operation, words, retry_after_s=delay_s)
            self.sleep(delay_s)
            left_s -= delay_s

    def leave(
        self, operation: str, quota: Quota, *, throttled_s: float | None = None, status: int | None = None
    ) -> None:
        """See :meth:`channels.services.Budget.leave`. Never raises: what the answer said must not be lost by it."""
        _made.set(_made.get() + 1)
        if self.counters is not None:
            self.counters.add("calls", self.channel, operation, str(status or "none"))
        held = self._tokens(operation)
        try:
            pause_s = self.tell(operation, held.pop() if held else "", quota, throttled_s=throttled_s)
        except redis.RedisError as error:
            log.warning("%s: the budget could not be told of an answer: %s", self.channel, error)
            return
        if throttled_s is not None:
            log.warning(
                "%s: %s: too many calls (429); nobody calls for %.1f s",
                *(self.channel, operation, pause_s),
                extra={"trouble": "throttled", "channel": self.channel},
            )

    def ask(self, operation: str, token: str, left_s: float) -> tuple[Verdict, float]:
        """Ask once for leave, for a caller that can still wait ``left_s`` seconds.

        Returns the verdict, and the seconds until it is to ask again: after ``wait`` its place is kept for it,
        after ``off`` it is not.
        """
        plan = self.plans.get(operation, Quota())
        args: list[str | int] = [
            *(self.store.now_ms(), token, int(_urgency.get()), round(left_s * 1000), self._draw()),
            *(round(self.reserve * 1000), "" if plan.rate is None else repr(plan.rate), plan.burst or 1),
        ]
        ((verdict, delay_ms),) = self.store.run("budget_enter", [Call(self._keys(operation), args)])
        return cast(Verdict, verdict), delay_ms / 1000

    def tell(self, operation: str, token: str, quota: Quota, *, throttled_s: float | None = None) -> float:
        """Say what an answer told. Returns for how many seconds nobody calls."""
        args: list[str | int] = [
            *(self.store.now_ms(), token, self._draw(), _text(self.plans.get(operation, Quota()).burst)),
            *(_text(quota.left), _text(quota.limit), _ms(quota.reset_s), _ms(quota.window_s)),
            *("" if quota.rate is None else repr(quota.rate), _ms(throttled_s)),
        ]
        (pause_ms,) = self.store.run("budget_leave", [Call(self._keys(operation), args)])
        return float(pause_ms) / 1000

    def left(self, operations: Sequence[str] = ()) -> dict[str, Left]:
        """What is left now, by the operation that has a quota of its own; ``all`` for all others.

        Quotas of which nothing is known yet, or of which no answer tells, are left out. ``operations``: which to ask
        for, ``""`` being all others; none: every one.
        """
        operations, now_ms = operations or [*self.plans, ""], self.store.now_ms()
        pipeline = self.store.client.pipeline(transaction=False)
        for operation in operations:
            quota, flight, *_ = self._keys(operation)
            pipeline.hgetall(quota)
            pipeline.zcard(flight)
        found = pipeline.execute()
        quotas = zip(operations, found[::2], found[1::2], strict=True)
        lefts = {operation or "all": left_of(fields, in_flight, now_ms) for operation, fields, in_flight in quotas}
        return {operation: left for operation, left in lefts.items() if left is not None}

    def _keys(self, operation: str) -> list[str]:
        bucket = operation.replace(" ", "-") if operation in self.plans else "all"
        key = f"{PREFIX}budget:{{{self.name}}}:{bucket}"
        return [key, f"{key}:flight", f"{key}:queue", f"{key}:sleepers"]

    def _tokens(self, operation: str) -> list[str]:
        """The calls that this thread has under way, the latest last."""
        tokens: dict[str, list[str]] = self._held.__dict__.setdefault("tokens", {})
        return tokens.setdefault(operation, [])

    def _draw(self) -> int:
        return int(self.draw() * 1000)


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else str(max(0, round(seconds * 1000)))
