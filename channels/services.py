"""What the worker lends to adapters: a budget of calls and a small memory, both shared by all its processes.

The defaults here serve a single process with nothing to share, which is what tests and scripts want.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Quota(NamedTuple):
    """What an answer says about the caller's quota. ``None``: it does not say."""

    #: Calls left in the current window.
    left: int | None = None
    #: Calls allowed in a whole window.
    limit: int | None = None
    #: Seconds until the window ends.
    reset_s: float | None = None
    #: Length of a window in seconds.
    window_s: float | None = None
    #: Calls a second, for token buckets.
    rate: float | None = None
    #: Calls that a full token bucket holds.
    burst: int | None = None


class Budget(Protocol):
    """Leave to make calls, one budget for each credential. Shared by every process that uses the credential."""

    def enter(self, operation: str) -> None:
        """Wait for leave to make one call, a few seconds at the most.

        Raises:
            channels.errors.Throttled: no leave within that time; ``retry_after_s`` says when to come again.
        """

    def leave(
        self, operation: str, quota: Quota, *, throttled_s: float | None = None, status: int | None = None
    ) -> None:
        """Say what the answer told.

        ``throttled_s``: it was a 429 that asks for this long a pause (0: unnamed). ``status``: its HTTP status; none
        where no answer came.
        """


class Unlimited:
    """The budget of someone who has no quota to share."""

    def enter(self, operation: str) -> None:
        """Never waits."""

    def leave(
        self, operation: str, quota: Quota, *, throttled_s: float | None = None, status: int | None = None
    ) -> None:
        """Learns nothing."""


class Memory(Protocol):
    """Small values that processes share for a while, such as an access token."""

    def get(self, key: str) -> str | None:
        """The value, or ``None`` when there is none or its time is over."""

    def put(self, key: str, value: str, *, ttl_s: float) -> None:
        """Remember a value for ``ttl_s`` seconds."""

    def forget(self, key: str) -> None:
        """Drop a value before its time."""


@dataclass(slots=True)
class LocalMemory:
    """A memory of this process alone."""

    _values: dict[str, tuple[float, str]] = field(default_factory=dict, repr=False)

    def get(self, key: str) -> str | None:
        """See :meth:`Memory.get`."""
        until, value = self._values.get(key, (0.0, ""))
        return value if time.monotonic() < until else None

    def put(self, key: str, value: str, *, ttl_s: float) -> None:
        """See :meth:`Memory.put`."""
        self._values[key] = (time.monotonic() + ttl_s, value)

    def forget(self, key: str) -> None:
        """See :meth:`Memory.forget`."""
        self._values.pop(key, None)


@dataclass(frozen=True, slots=True)
class Services:
    """The worker's loan to one channel."""

    budget: Budget = field(default_factory=Unlimited)
    memory: Memory = field(default_factory=LocalMemory)


def header_int(headers: Mapping[str, str], name: str) -> int | None:
    """A header as a whole number, or ``None`` when it is absent, not one, or longer than any that means something."""
    value = headers.get(name, "").strip()
    return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else None
