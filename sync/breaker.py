"""A channel in trouble is left alone for a while: what went wrong, since when, and when it is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import cast

from channels.errors import ChannelError, Denied, Throttled
from sync.store import PREFIX, Store

#: Pause after the first failure, in seconds; it doubles with each further one, with jitter.
FIRST_PAUSE_S = 2.0

#: The longest pause, in seconds; also the pause after a refused credential, which a person must mend.
LONGEST_PAUSE_S = 300.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a channel is left alone. Times are milliseconds by the store's clock."""

    failures: int
    since_ms: int
    at_ms: int
    until_ms: int
    message: str


def pause_s(error: ChannelError, failures: int, draw: float) -> float:
    """How long to leave a channel alone after its ``failures``-th failure in a row. ``draw``: a number in [0, 1)."""
    if isinstance(error, Throttled):
        return error.retry_after_s
    if isinstance(error, Denied):
        return LONGEST_PAUSE_S
    longest: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16))
    return longest * (0.5 + draw / 2)


class Breaker:
    """The troubles of all channels."""

    def __init__(self, store: Store, rng: random.Random | None = None) -> None:
        self.store = store
        self._random = rng or random.Random()  # noqa: S311 - jitter, no secret

    def trouble(self, channel: str) -> Trouble | None:
        """The trouble a channel is in, over or not; ``None`` when its last call went well."""
        fields = cast("dict[str, str]", self.store.client.hgetall(_key(channel)))
        if not fields:
            return None
        return Trouble(
            failures=int(fields["failures"]),
            since_ms=int(fields["since"]),
            at_ms=int(fields["at"]),
            until_ms=int(fields["until"]),
            message=fields["message"],
        )

    def closed_to(self, channel: str, now_ms: int) -> bool:
        """Whether the channel is to be left alone now."""
        trouble = self.trouble(channel)
        return trouble is not None and now_ms < trouble.until_ms

    def failed(self, channel: str, error: ChannelError, now_ms: int) -> Trouble:
        """Note a failure; returns the trouble, with the time until which the channel is left alone."""
        before = self.trouble(channel)
        failures = (before.failures if before else 0) + (0 if isinstance(error, Throttled) else 1)
        pause_ms = round(pause_s(error, max(1, failures), self._random.random()) * 1000)
        trouble = Trouble(failures, before.since_ms if before else now_ms, now_ms, now_ms + pause_ms, str(error))
        self.store.client.hset(
            _key(channel),
            mapping={
                "failures": trouble.failures,
                "since": trouble.since_ms,
                "at": trouble.at_ms,
                "until": trouble.until_ms,
                "message": trouble.message,
            },
        )
        return trouble

    def worked(self, channel: str) -> None:
        """Note that the channel answers."""
        self.store.client.delete(_key(channel))

    def try_now(self, channel: str) -> None:
        """Let the channel be tried at once, as a person asked."""
        self.worked(channel)


def _key(channel: str) -> str:
    return f"{PREFIX}trouble:{channel}"
