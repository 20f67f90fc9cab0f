"""Reading again what was marked: by webhooks, by readings that came too near a write, by writes not settled yet."""

from __future__ import annotations

import logging

from channels.errors import ChannelError
from sync.context import Context
from sync.deadline import Deadline
from sync.ledger import Merged
from sync.pull import read_refs

log = logging.getLogger(__name__)

#: How many listings are gathered at a time.
GATHER = 1000

#: Seconds after which an open write is looked for again whose listing the channel no longer shows.
GONE_S = 60.0


def refresh(context: Context, name: str, deadline: Deadline) -> bool:
    """Read every listing of a channel that is due. True when none is left.

    Raises:
        channels.errors.ChannelError: the channel could not be read; the marks stay.
    """
    channel, worklist = context.channel(name), context.worklist
    if not channel.capabilities.read_batch:
        return True
    merged = Merged()
    while not deadline.over:
        now_ms = context.store.now_ms()
        marked = worklist.due_marks(name, now_ms, GATHER)
        writes = worklist.due_writes(name, now_ms, GATHER)
        if not marked and not writes:
            if merged.rows:
                log.info("%s: %d listings read again: %s", name, merged.rows, dict(merged.counts))
            return True
        open_refs = {
            record.folded: record.listings[name].ref
            for record in context.ledger.records(writes)
            if name in record.listings
        }
        # whatever this reading cannot tell is looked at again later, not at once
        worklist.look_later(name, writes, now_ms + round(GONE_S * 1000))
        refs = list(dict.fromkeys([*open_refs.values(), *marked]))
        try:
            merged.add(read_refs(context, name, refs, "a second look"))
        except ChannelError:
            worklist.look_later(name, writes, now_ms)
            raise
    return False
