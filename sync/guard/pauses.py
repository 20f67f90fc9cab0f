"""Channels that a person has paused: ``is:paused``, a hash of channel to since when and what is stopped.

A pause stands in the store, so it outlives every process and holds for all of them. What changes meanwhile stays
marked; after it each listing is written once, with the number that is right then.
"""

from __future__ import annotations

from typing import NamedTuple, cast

from sync.storage.store import PREFIX, Store

_KEY = f"{PREFIX}paused"

#: Tasks that read a channel's levels or orders.
READING = frozenset({"sync.pull", "sync.refresh", "sync.audit_orders"})


class Pause(NamedTuple):
    """Since when a channel is paused (ms by the store's clock), and whether it is not even read."""

    since_ms: int
    reading: bool

    @property
    def words(self) -> str:
        """What is stopped, for people."""
        return "paused, neither read nor written" if self.reading else "paused, not written"

    def stops(self, task: str) -> bool:
        """Whether a task leaves the channel alone."""
        return task == "sync.push" or (self.reading and task in READING)


class Pauses:
    """The pauses on one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def pause(self, channel: str, now_ms: int, *, reading: bool = False) -> None:
        """Write the channel no more from now on; with ``reading``, do not read it either."""
        before = self.of(channel)
        since_ms = before.since_ms if before else now_ms
        self.store.client.hset(_KEY, channel, f"{since_ms} {int(reading)}")

    def resume(self, channel: str) -> Pause | None:
        """End a pause; gives the one that ends."""
        ended = self.of(channel)
        self.store.client.hdel(_KEY, channel)
        return ended

    def of(self, channel: str) -> Pause | None:
        """The pause of a channel; ``None`` where it is not paused."""
        value = cast("str | None", self.store.client.hget(_KEY, channel))
        return _parse(value) if value else None

    def all(self) -> dict[str, Pause]:
        """All that are paused."""
        return {name: _parse(value) for name, value in cast("dict[str, str]", self.store.client.hgetall(_KEY)).items()}


def _parse(value: str) -> Pause:
    since_ms, reading = value.split(" ")
    return Pause(int(since_ms), reading == "1")
