"""Reading levels from a channel into the stock of record: all of them page by page, or a few.

A full reading may go on over several tasks (:mod:`sync.readings`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence

import redis

from channels import Channel, Page, Problem
from channels.errors import Denied, Throttled, Unanswered, Unreachable
from sync.context import Context
from sync.deadline import Deadline
from sync.guard import watch as watching
from sync.guard.watch import Watch
from sync.lanes import read_all, read_some
from sync.readings import Pulls
from sync.stock import renames
from sync.stock.ledger import Merged, Window, Withheld
from sync.storage.store import PREFIX, fold
from sync.telemetry.latency import since

log = logging.getLogger(__name__)

#: The most bad rows of one page that are logged one by one.
PROBLEMS_LOGGED = 20

#: For how long a bad row is not told of again, in seconds.
TOLD_S = 24 * 3600

#: Trouble that says nothing about the place from which a reading was to go on.
PASSING = (Denied, Throttled, Unreachable, Unanswered, redis.RedisError)


def tell_problems(context: Context, channel: Channel, page: Page) -> None:
    """Tell people about rows that could not be understood."""
    for problem in page.problems[:PROBLEMS_LOGGED]:
        news = _is_news(context, channel.name, problem)
        log.log(logging.WARNING if news else logging.DEBUG, "%s: %s: %s", channel.name, problem.where, problem.reason)
    if len(page.problems) > PROBLEMS_LOGGED:
        log.warning("%s: and %d more rows like these", channel.name, len(page.problems) - PROBLEMS_LOGGED)


def _is_news(context: Context, name: str, problem: Problem) -> bool:
    """Whether people have not been told of this row for a day."""
    digest = hashlib.blake2b("\0".join(problem).encode(errors="replace"), digest_size=12).hexdigest()
    key = f"{PREFIX}told:{name}:{digest}"
    return bool(context.store.client.set(key, "1", ex=TOLD_S, nx=True))


def pull(context: Context, name: str, deadline: Deadline) -> bool:
    """Read every level of a channel into the stock of record, or go on with it. True when the reading has ended.

    What is implausible is held (:mod:`sync.guard.watch`).

    Raises:
        channels.errors.ChannelError: the channel could not be read; what was read so far is kept.
    """
    channel, pulls = context.channel(name), Pulls(context.store)
    state, way = pulls.state(name), way_of(channel)
    if state.began_ms and state.cursor and state.way == way:
        pulls.resume(name)
    else:
        pulls.begin(name, context.store.now_ms(), way)
    state = pulls.state(name)
    cause = f"reading of {name}"
    merged, rows = Merged(), state.rows
    watch = Watch(context, channel, state.began_ms, state.figures, state.pages)
    try:
        for read in read_all(context, channel, state.cursors):
            tell_problems(context, channel, read.page)
            part = watch.take(read.page, read.window, cause)
            merged.add(part)
            rows += part.rows - part.counts["quarantined"] - part.counts["twin"]
            place = "\n".join(read.cursors) or None
            if not pulls.advance(name, state.began_ms, place, rows, watch.figures, watch.pages):
                log.info("%s: another reading has begun meanwhile; this one ends", name)
                return True
            if deadline.over and read.cursors:
                log.info("%s: %d listings read so far; going on in the next task", name, rows)
                return False
    except PASSING:
        raise
    except Exception:
        if state.resumed:
            pulls.lose_place(name, state.began_ms)
        raise
    believed, finished = watch.ends(rows, state.last_errors), pulls.state(name)
    if finished.began_ms != state.began_ms:
        return True
    if (
        believed
        and channel.capabilities.read_batch
        and (finished.resumed or merged.counts["held"] or rows < context.ledger.listings(name))
    ):
        _note_absent(context, name, finished.began_ms)
    pulls.finish(name, finished, context.store.now_ms(), believed=believed)
    log.info("%s: %d listings read: %s", name, rows, figures_of(merged))
    return True


def pull_some(context: Context, name: str, skus: Sequence[str]) -> Merged:
    """Read the levels of these SKUs on a channel into the stock of record.

    A SKU whose listing is not known yet is left to the next full reading.

    Raises:
        channels.errors.ChannelError: the channel could not be read.
    """
    records = context.ledger.records(list(dict.fromkeys(fold(sku) for sku in skus)))
    refs = [record.listings[name].ref for record in records if name in record.listings]
    if len(refs) < len(skus):
        log.warning("%s: %d of the SKUs are not known there; a full reading finds them", name, len(skus) - len(refs))
    return read_refs(context, name, refs, cause=f"reading of {name}")


def read_refs(context: Context, name: str, refs: Sequence[str], cause: str) -> Merged:
    """Read single listings and merge them, if the guard believes them; marks that this answers are taken back."""
    channel = context.channel(name)
    size = channel.capabilities.read_batch
    merged, valid, moved = Merged(), set[str](), dict[str, str]()
    withhold, doubtful, began_ms = watching.doubtful(context, name), list[tuple[Withheld, Window]](), 0
    for start in range(0, len(refs) if size else 0, size or 1):
        page, window, _ = read_some(context, channel, refs[start : start + size])
        tell_problems(context, channel, page)
        merged.add(watching.merge(context, channel, page.levels, window, cause, withhold))
        valid |= merged.valid
        moved |= merged.moved
        doubtful += [(row, window) for row in merged.withheld]
        began_ms = began_ms or window.began_ms
    late = watching.believe(context, channel, doubtful, cause)
    heard = context.worklist.unmark(name, refs, began_ms)
    merged = watching.later(Merged(merged.rows, merged.counts, valid, moved), late)
    context.latency.moved(name, since(channel, merged.moved, heard))
    return merged


def _note_absent(context: Context, name: str, began_ms: int) -> None:
    left = renames.MOST

    def look_for(gone: Sequence[str]) -> None:
        nonlocal left
        some, left = gone[:left], max(0, left - len(gone))
        read_refs(context, name, renames.keep(context, name, some), f"reading of {name}")

    found = context.ledger.absent(name, began_ms, look_for)
    if found["missing"]:
        log.warning(
            "%s: %d listings are no longer shown; they keep their levels and are not written", name, found["missing"]
        )
    if found["adopted"]:
        Pulls(context.store).want(name, context.store.now_ms())  # their levels are to be opened anew


def way_of(channel: Channel) -> str:
    """A short text that changes whenever a channel's settings do, but for its secrets."""
    return hashlib.blake2b(channel.settings.model_dump_json().encode(), digest_size=8).hexdigest()


def figures_of(merged: Merged) -> str:
    """What became of the rows of a reading, in words."""
    return ", ".join(f"{count} {what}" for what, count in sorted(merged.counts.items())) or "nothing new"
