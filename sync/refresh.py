"""Reading again what was marked: by webhooks, by readings that came too near a write, by writes not settled yet."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from channels.errors import ChannelError
from sync.context import Context
from sync.deadline import Deadline
from sync.pull import figures_of, read_refs
from sync.stock.ledger import Merged
from sync.stock.worklist import Crowd

log = logging.getLogger(__name__)

#: How many listings are gathered at a time.
GATHER = 1000

#: Seconds after which an open write is looked for again whose listing the channel no longer shows.
GONE_S = 60.0

#: Seconds without a new mark after which a burst counts as over. A sale comes as three or four events, and another sale
#: that comes so soon costs no call of its own, here or where it is written.
LULL_S = 0.06

#: The longest that marks wait for others, in seconds: a few of them, and a burst.
FEW_S, BURST_S = 0.15, 0.8

#: How much longer each mark makes it, in seconds: the more there are, the more calls are saved, on every channel.
EACH_S = 0.02

#: How soon a reading must fall due for one that is due now, and that no hint has asked for, to wait for it; seconds.
SOON_S = 0.5


@dataclass(frozen=True, slots=True)
class Gather:
    """Waits until the marks that belong together have come, so that they cost few readings."""

    sleep: Callable[[float], None] = time.sleep

    def wait(self, context: Context, name: str) -> None:
        """Wait for a lull in the marks of a channel, for a full batch, or for as long as a mark may wait."""
        full = context.channel(name).capabilities.read_batch
        began_ms = context.store.now_ms()
        now_ms = began_ms
        while True:
            crowd = context.worklist.crowd(name, now_ms, round(SOON_S * 1000))
            left_s = patience_s(crowd, full, now_ms, began_ms)
            if left_s <= 0:
                return
            self.sleep(left_s)
            now_ms = context.store.now_ms()


def patience_s(crowd: Crowd, full: int, now_ms: int, began_ms: int) -> float:
    """For how long it may pay to wait for more marks than there are, in seconds; 0 or less: read now.

    ``full``: how many one call reads; ``began_ms``: since when it has been waited.
    """
    waited_s = (now_ms - began_ms) / 1000
    if crowd.size == 0:  # writes may be due to be confirmed, for which nobody waits
        return min(LULL_S, BURST_S - waited_s) if crowd.soon else 0.0
    if crowd.size >= full:
        return 0.0
    lull_s = LULL_S - (now_ms - crowd.newest_ms) / 1000
    return min(lull_s, max(FEW_S, min(BURST_S, EACH_S * crowd.size)) - waited_s)


def refresh(
    context: Context,
    name: str,
    deadline: Deadline,
    gather: Callable[[], None] = lambda: None,
    news: Callable[[], None] = lambda: None,
    pace: Callable[[], bool] = lambda: False,
) -> bool:
    """Read every listing of a channel that is due. True when none is left.

    Parameters:
        context: What to work with.
        name: The channel.
        deadline: When to leave the rest to another task.
        gather: Called before each reading, to wait for what else may come.
        news: Called after each reading, so that the other channels hear of it while hints still come in.
        pace: Called before a reading that does not fill a call; true where it has waited, and more may be due by now.

    Raises:
        channels.errors.ChannelError: the channel could not be read; the marks stay.
    """
    channel, worklist = context.channel(name), context.worklist
    if not channel.capabilities.read_batch:
        return True
    merged = Merged()
    while not deadline.over:
        gather()
        now_ms = context.store.now_ms()
        marked = worklist.due_marks(name, now_ms, GATHER)
        writes = worklist.due_writes(name, now_ms, GATHER)
        if not marked and not writes:
            if merged.rows:
                log.info("%s: %d listings read again: %s", name, merged.rows, figures_of(merged))
            return True
        if len(marked) + len(writes) < channel.capabilities.read_batch and pace():
            continue
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
        news()
    return False
