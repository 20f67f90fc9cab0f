"""What a write's error means for each of its rows, and how a refused batch is split (said once for all adapters)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from channels.contract import Outcome, Result, Write
from channels.errors import ChannelError, Denied, Rejected, Throttled, Unreachable


def outcomes_of(writes: Sequence[Write], error: ChannelError) -> list[Outcome]:
    """The outcome of every row of a call that failed as a whole."""
    if isinstance(error, (Throttled, Unreachable, Denied)):
        result = Result.DEFERRED
    elif isinstance(error, Rejected):
        result = Result.REFUSED
    else:
        result = Result.UNKNOWN
    return [Outcome(write.ref, result, reason=error.reason) for write in writes]


def write_split(
    writes: Sequence[Write],
    send: Callable[[Sequence[Write]], list[Outcome]],
    *,
    until: float = math.inf,
) -> list[Outcome]:
    """Send a batch; when it is refused, send its halves, until each poisoned row stands alone.

    ``send`` is called for one batch, in order, and returns one outcome for each row or raises a
    :class:`ChannelError`. A refused batch must have changed nothing at the channel. Once ``time.monotonic()``
    has passed ``until`` nothing more is sent, and the rest is deferred.

    Raises:
        Denied: by the first call, before anything was applied.
    """
    outcomes: list[Outcome] = []
    waiting = [writes] if writes else []
    first = True
    while waiting:
        batch = waiting.pop()
        if time.monotonic() >= until:
            outcomes += [
                Outcome(write.ref, Result.DEFERRED, reason="the time for this write is over") for write in batch
            ]
            continue
        try:
            outcomes += send(batch)
        except Rejected as error:
            if len(batch) == 1:
                outcomes += outcomes_of(batch, error)
            else:
                middle = len(batch) // 2
                waiting += [batch[middle:], batch[:middle]]
        except Denied as error:
            if first:
                raise
            outcomes += outcomes_of(batch, error)
        except ChannelError as error:
            outcomes += outcomes_of(batch, error)
        first = False
    return outcomes
