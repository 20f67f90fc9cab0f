"""Readings of what has changed, between full ones: a few calls instead of all, where a channel's settings ask for it.

What such a reading does not show is neither missing nor unchanged: whether a sale touches the date by which a channel
tells what has changed, none of them documents. So it only ever adds news. It calls nothing missing, does not count as
a full reading, and gives way to one whenever that is due or anything is doubtful.

It goes back to when the last reading began, less :data:`MARGIN_S`. That moment is by the store's clock, like every
other; the ``Date`` of an answer would be that of whatever gave it, which need not be what stamps a listing. It moves on
once the last page is merged: a reading that died is made again from where it began.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from channels import Channel
from channels.errors import Denied, Incomprehensible, Rejected
from sync import pull as pulling
from sync.context import Context
from sync.deadline import Deadline
from sync.guard.watch import Watch
from sync.lanes import timed
from sync.readings import Pulls, PullState
from sync.stock.ledger import Merged

log = logging.getLogger(__name__)

#: How much further back a reading goes, in seconds: clocks differ, and a change may be listed later than it is dated.
MARGIN_S = 300.0

#: The share of a channel's listings up to which one is worth its calls. More than that is judged as a whole, too: the
#: guard can hold a full reading against all units that there were, and this one only against none left (rule 8).
MOST = 0.25


def pull(context: Context, name: str, deadline: Deadline) -> bool:
    """Read what has changed on a channel, where that will do, else all of it. True when the reading has ended.

    Raises:
        channels.errors.ChannelError: the channel could not be read; what was read so far is kept.
    """
    channel = context.channel(name)
    can, now_ms = channel.capabilities, context.store.now_ms()
    if can.full_every_s and can.read_batch and not context.holds.doubted(name):
        since_ms = since(Pulls(context.store).state(name), pulling.way_of(channel), can.full_every_s, now_ms)
        if since_ms is not None and _read(context, channel, since_ms, deadline):
            return True
    return pulling.pull(context, name, deadline)


def since(state: PullState, way: str, full_every_s: float, now_ms: int) -> int | None:
    """From when on changes are to be read (ms); ``None`` where only a full reading will do. ``way``: see ``way_of``."""
    full_ms = state.believed_ms
    if not full_ms or state.finished_began_ms != full_ms:
        return None  # there was none, or the last one was not believed
    if state.believed_way != way:
        return None  # the channel is set otherwise now, and may show other levels of what has not changed
    if state.wanted_ms or state.unsure_ms or state.began_ms:
        return None
    last_ms = max(full_ms, state.changed_ms)
    if last_ms > now_ms or now_ms >= full_ms + full_every_s * 1000:
        return None  # the clock was set back, or the full reading is too long ago
    return last_ms - round(MARGIN_S * 1000)


def _read(context: Context, channel: Channel, since_ms: int, deadline: Deadline) -> bool:
    """Read what has changed since. False: a full reading must be made instead."""
    name, pulls, began_ms = channel.name, Pulls(context.store), context.store.now_ms()
    most = max(context.settings.guard.of(name).min_listings, MOST * context.ledger.listings(name))
    since_, cause = datetime.fromtimestamp(since_ms / 1000, UTC), f"reading of what has changed on {name}"
    pulls.begin_changes(name, began_ms)
    watch, merged = Watch(context, channel, began_ms, whole=False), Merged()
    try:
        for read in timed(context, name, channel.changed(since_)):
            pulling.tell_problems(context, channel, read.page)
            part = watch.take(read.page, read.window, cause)
            merged.add(part)
            if part.counts["opened"] + part.counts["counted"] + part.counts["quarantined"]:
                # under a new SKU an old listing may hide, renamed or replaced: a full reading tells
                pulls.doubt(name, context.store.now_ms())
            if merged.rows > most or deadline.over:
                words = "%s: too much has changed for a reading of that alone (%d listings so far); all of it is read"
                log.info(words, name, merged.rows)
                return False
    except (Denied, Rejected, Incomprehensible) as error:
        log.warning("%s All of it is read instead of what has changed.", error)
        return False
    if pulls.state(name).changing_ms != began_ms:
        log.info("%s: another reading of what has changed has begun meanwhile; this one ends", name)
        return True
    if not watch.ends(merged.rows, 0):
        pulls.doubt(name, context.store.now_ms())  # a full reading may answer what is held
    pulls.changes_read(name, began_ms)
    log.info(
        "%s: %d listings changed since %s read: %s",
        *(name, merged.rows, since_.isoformat(timespec="seconds"), pulling.figures_of(merged)),
    )
    return True
