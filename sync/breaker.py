"""A channel in trouble is left alone: what went wrong, since when, and when one call tries whether it is over.

Every failure stops all calls for a pause that doubles with each further one. When it is over, one task is let
through; the others wait for what it finds. The first success ends the trouble.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, cast

from channels.errors import ChannelError, Denied, Throttled
from sync.legible import shown
from sync.storage.store import PREFIX, Call, Store

#: The longest pause after the first failure of a reading, in seconds, and of a write, which is tried again more
#: slowly. It doubles with each further failure; how much of it is waited is drawn anew each time (full jitter).
FIRST_PAUSE_S = 2.0
FIRST_WRITE_PAUSE_S = 4.0

#: The shortest pause, in seconds.
SHORTEST_PAUSE_S = 0.1

#: The longest pause, in seconds; also the pause after a refused credential, which a person must mend.
LONGEST_PAUSE_S = 300.0

#: The longest wait that is believed when a channel names one, in seconds; some gateways give a date in its place.
LONGEST_WAIT_S = 3600.0

#: So many failures in a row are no passing matter: people are told, once.
TELL_AFTER = 3

#: How long others wait for the one that tries, in seconds; it may have died.
PROBE_S = 60.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a channel is left alone. Times are milliseconds by the store's clock."""

    failures: int
    since_ms: int
    at_ms: int
    until_ms: int
    message: str
    #: Whether people have been told.
    told: bool = False


class Leave(Enum):
    """Whether a task may call a channel. ``NONE`` is false."""

    NONE = 0
    FREE = 1
    #: The channel is in trouble, and this task finds out whether that is over.
    TO_TRY = 2

    def __bool__(self) -> bool:
        return self is not Leave.NONE


class _Wait(NamedTuple):
    """What one task was told, and the rank of the most urgent listing that it would have written."""

    until_ms: int
    rank: float


def pause_s(error: ChannelError, failures: int, draw: float, *, writing: bool = False) -> float:
    """How long to leave a channel alone after its ``failures``-th failure in a row. ``draw``: a number in [0, 1)."""
    if isinstance(error, Denied):
        return LONGEST_PAUSE_S
    first = FIRST_WRITE_PAUSE_S if writing else FIRST_PAUSE_S
    longest: float = min(LONGEST_PAUSE_S, first * 2.0 ** min(failures - 1, 16))
    return max(SHORTEST_PAUSE_S, longest * draw)


class Breaker:
    """The troubles of all channels."""

    def __init__(self, store: Store, rng: random.Random | None = None) -> None:
        self.store = store
        self._random = rng or random.Random()  # noqa: S311 - jitter, no secret

    def trouble(self, channel: str) -> Trouble | None:
        """The trouble a channel is in, over or not; ``None`` when its last call went well."""
        return _trouble(cast("dict[str, str]", self.store.client.hgetall(_key(channel))))

    def closed_to(self, channel: str, now_ms: int, task: str, rank: float | None = None) -> bool:
        """Whether a task is to leave the channel alone now.

        ``rank``: that of the most urgent listing it would write (see :meth:`sync.stock.worklist.Worklist.ranks`). A
        wait that was named while only less urgent ones were there does not hold it: budgets keep a part for those.
        """
        return _closed(*self._seen(channel, task), now_ms, rank)

    def admits(self, channel: str, now_ms: int, task: str, rank: float | None = None) -> Leave:
        """Whether a task may call now. In trouble, once the pause is over, only the first who asks may."""
        trouble, wait = self._seen(channel, task)
        if _closed(trouble, wait, now_ms, rank):
            return Leave.NONE
        if trouble is None:
            return Leave.FREE
        first = self.store.client.set(f"{_key(channel)}:probe", task, nx=True, px=round(PROBE_S * 1000))
        return Leave.TO_TRY if first else Leave.NONE

    def failed(self, channel: str, error: ChannelError, now_ms: int, *, writing: bool = False) -> Trouble:
        """Note a failure; returns the trouble, with the time until which the channel is left alone."""
        before = self.trouble(channel)
        failures = (before.failures if before else 0) + 1
        pause_ms = round(pause_s(error, failures, self._random.random(), writing=writing) * 1000)
        trouble = Trouble(
            failures=failures,
            since_ms=before.since_ms if before else now_ms,
            at_ms=now_ms,
            until_ms=max(now_ms + pause_ms, before.until_ms if before and _pauses(before, now_ms) else 0),
            message=shown(str(error)),
        )
        fields: dict[str, str | int] = {
            "failures": trouble.failures,
            "since": trouble.since_ms,
            "at": trouble.at_ms,
            "until": trouble.until_ms,
            "message": trouble.message,
        }
        self.store.client.hset(_key(channel), mapping=fields)  # type: ignore[arg-type]
        self.store.client.delete(f"{_key(channel)}:probe")
        return trouble

    def tells(self, channel: str, error: ChannelError, trouble: Trouble) -> bool:
        """Whether it is now that people are to be told of a trouble: once, and not of what passes by itself."""
        lasting = trouble.failures >= TELL_AFTER or isinstance(error, Denied)
        return lasting and bool(self.store.run("tell_once", [Call([_key(channel)], [])])[0])

    def told_to_wait(self, channel: str, error: Throttled, now_ms: int, task: str, rank: float | None = None) -> int:
        """Have one task leave the channel alone for as long as it was told, or longer if it was told so before.

        Returns until when (ms). That is no failure, and other tasks go on: they may have a quota of their own, or
        be more urgent.
        """
        before = self._seen(channel, task)[1]
        until_ms = now_ms + round(min(error.retry_after_s, LONGEST_WAIT_S) * 1000)
        if before is not None and rank is None and _waits_on(before, now_ms):
            until_ms = max(until_ms, before.until_ms)
        self.store.client.hset(_waits(channel), task, f"{until_ms} {0.0 if rank is None else rank!r}")
        self.store.client.delete(f"{_key(channel)}:probe")  # it has tried nothing
        return until_ms

    def worked(self, channel: str) -> Trouble | None:
        """Note that the channel answers. Returns the trouble that this ends."""
        trouble = self.trouble(channel)
        if trouble is not None:
            self.store.client.delete(_key(channel), f"{_key(channel)}:probe")
        return trouble

    def not_tried(self, channel: str) -> None:
        """Note that the one who was let through had nothing to ask: the next one tries."""
        self.store.client.delete(f"{_key(channel)}:probe")

    def try_now(self, channel: str) -> None:
        """Let the channel be tried at once, as a person asked."""
        self.store.client.delete(_key(channel), f"{_key(channel)}:probe", _waits(channel))

    def _seen(self, channel: str, task: str) -> tuple[Trouble | None, _Wait | None]:
        """The trouble of a channel and what one task was told, in one look."""
        pipeline = self.store.client.pipeline(transaction=False)
        pipeline.hgetall(_key(channel))
        pipeline.hget(_waits(channel), task)
        fields, value = pipeline.execute()
        if value is None:
            return _trouble(fields), None
        until_ms, rank = value.split(" ")
        return _trouble(fields), _Wait(int(until_ms), float(rank))


def _trouble(fields: Mapping[str, str]) -> Trouble | None:
    if not fields:
        return None
    return Trouble(
        failures=int(fields["failures"]),
        since_ms=int(fields["since"]),
        at_ms=int(fields["at"]),
        until_ms=int(fields["until"]),
        message=fields["message"],
        told="told" in fields,
    )


def _closed(trouble: Trouble | None, wait: _Wait | None, now_ms: int, rank: float | None) -> bool:
    if trouble is not None and _pauses(trouble, now_ms):
        return True
    return wait is not None and _waits_on(wait, now_ms) and not (rank is not None and rank < wait.rank)


# What would last longer than it ever may was named before the clock was set back.


def _pauses(trouble: Trouble, now_ms: int) -> bool:
    return now_ms < trouble.until_ms <= now_ms + LONGEST_PAUSE_S * 1000


def _waits_on(wait: _Wait, now_ms: int) -> bool:
    return now_ms < wait.until_ms <= now_ms + LONGEST_WAIT_S * 1000


def _key(channel: str) -> str:
    return f"{PREFIX}trouble:{channel}"


def _waits(channel: str) -> str:
    return f"{PREFIX}trouble:{channel}:waits"
