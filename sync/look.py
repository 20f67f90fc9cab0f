"""The look at a channel just before it is written (rule 6): a write must not go over a sale that nobody has seen.

One reading may serve several batches, as far as they follow within :data:`FRESH_S` of its begin. The moments between
a look and its writes are those in which a sale can be swallowed, so only a channel whose orders tell of such sales is
spared calls in this way; any other is looked at before each batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from channels import Channel
from sync.context import Context
from sync.pull import read_refs
from sync.stock.records import Record

#: For how long after its begin a look counts as just before a write, in seconds.
FRESH_S = 1.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a reading just before some writes has shown."""

    #: When it began, by the store's clock (ms) and by the process's own (s).
    began_ms: int
    began: float
    #: Folded SKUs that it asked for, and those whose level is now known as it showed it.
    asked: frozenset[str]
    certain: frozenset[str]
    #: Whether it has changed on hand of any SKU, so that other channels are wrong now.
    news: bool = False

    def covers(self, batch: Sequence[Record]) -> bool:
        """Whether these may be written on what was seen."""
        return time.monotonic() - self.began < FRESH_S and all(record.folded in self.asked for record in batch)


def look(context: Context, channel: Channel, batch: Sequence[Record], ahead: Sequence[Record]) -> Look:
    """Read a batch that is to be written now, and as many of those ahead as the same call reads.

    A channel that cannot be read so is believed to show what is known of it.

    Raises:
        channels.errors.ChannelError: the channel could not be read; nothing may be written.
    """
    name, can = channel.name, channel.capabilities
    room = -len(batch) % can.read_batch if can.read_batch and can.orders else 0
    asked = [*batch, *ahead[:room]]
    began_ms, began = context.store.now_ms(), time.monotonic()
    seen = frozenset(record.folded for record in asked)
    if not can.read_batch:
        return Look(began_ms, began, seen, seen)
    merged = read_refs(context, name, [record.listings[name].ref for record in asked], "before a write")
    news = bool(merged.moved or merged.counts["counted"])
    return Look(began_ms, began, seen, seen & merged.valid, news)
