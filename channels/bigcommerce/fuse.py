"""What keeps one failed call from being followed by many."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from channels.contract import Outcome, Write
from channels.errors import ChannelError, Rejected, Unreachable


class Fuse:
    """Sends the batches of one write until a call fails for a reason that lies outside its rows.

    The batches behind that call are put off unsent: they would fail as well, and turn more listings unknown or
    spend more of an empty quota. A refusal (4xx) and a partial failure (207) are about rows, and blow nothing.

    Parameters:
        send: Makes one call for one batch.
    """

    def __init__(self, send: Callable[[Sequence[Write]], list[Outcome]]) -> None:
        self._send = send
        self._blown: ChannelError | None = None

    def __call__(self, writes: Sequence[Write]) -> list[Outcome]:
        """Send a batch, or raise :class:`Unreachable`: it was not sent."""
        if self._blown is not None:
            words = f"not sent, because the call before it failed: {self._blown.reason}"
            raise Unreachable(self._blown.channel, self._blown.operation, words)
        try:
            return self._send(writes)
        except ChannelError as error:
            if not isinstance(error, Rejected) and error.status != 207:
                self._blown = error
            raise
