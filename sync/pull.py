"""Reading levels from a channel into the stock of record: all of them page by page, or a few.

A full reading may go on over several tasks: how far it has come stands in the store, ``is:pull:<channel>``:

``wanted``, ``asked``, ``unsure``
    When a full reading was last asked for (ms), and one of which what has changed is enough (:mod:`sync.changes`); and
    when something was last heard of that only a full one can tell. Each is absent once a reading that began later and
    does for it has ended.
``began``, ``cursor``, ``way``, ``rows``, ``resumed``
    The reading under way: its start, where it goes on (a line for each lane) while the channel is set as it was then,
    the rows so far, whether it was ever taken up again.
``figures``, ``pages``
    What the guard has counted of it so far, and in how many pages.
``finished``, ``finished_began``, ``last_rows``, ``last_errors``
    When the last full reading ended and began, how many rows it had, and, if it was believed, how many bad ones.
``believed``, ``changed``, ``changing``
    When the last full reading began that was believed, when the last one of what has changed that ended, and when the
    last one of those that was begun (ms).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from channels import Channel, Page, Problem
from channels.errors import Denied, Throttled, Unanswered, Unreachable
from sync.context import Context
from sync.deadline import Deadline
from sync.guard import watch as watching
from sync.guard.judge import NOTHING, Figures
from sync.guard.watch import Watch
from sync.lanes import read_all, read_some
from sync.stock import renames
from sync.stock.ledger import Merged, Window, Withheld
from sync.storage.store import PREFIX, Call, Store, fold
from sync.telemetry.latency import since

log = logging.getLogger(__name__)

#: The most bad rows of one page that are logged one by one.
PROBLEMS_LOGGED = 20

#: For how long a bad row is not told of again, in seconds.
TOLD_S = 24 * 3600

#: Trouble that says nothing about the place from which a reading was to go on.
PASSING = (Denied, Throttled, Unreachable, Unanswered, redis.RedisError)


@dataclass(frozen=True, slots=True)
class PullState:
    """How far the full reading of a channel has come. Times are milliseconds by the store's clock, 0 for never."""

    #: When a full reading was last asked for, any reading, and when only a full one would do from then on.
    wanted_ms: int
    asked_ms: int
    unsure_ms: int
    began_ms: int
    cursor: str | None
    #: How the channel was set when it began; a place to go on from may mean nothing where it is set otherwise.
    way: str
    rows: int
    resumed: bool
    finished_ms: int
    #: When the reading began that ended then.
    finished_began_ms: int
    last_rows: int
    #: What the guard has counted of the reading under way, in so many pages.
    figures: Figures
    pages: int
    last_errors: int
    #: When the last full reading began that was believed, the last one of what has changed, and whichever has begun.
    believed_ms: int
    changed_ms: int
    changing_ms: int

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for a reading, full or not."""
        return bool(self.wanted_ms or self.asked_ms)

    @property
    def cursors(self) -> Sequence[str]:
        """Where it goes on, in each of its lanes (:mod:`sync.lanes`)."""
        return self.cursor.split("\n") if self.cursor else ()


class Pulls:
    """What is known of each channel's full readings."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def want(self, channel: str, now_ms: int) -> None:
        """Ask for a full reading that begins from now on."""
        self.store.client.hset(_key(channel), "wanted", str(now_ms))

    def ask(self, channel: str, now_ms: int) -> None:
        """Ask for a reading that begins from now on, be it of what has changed."""
        self.store.client.hset(_key(channel), "asked", str(now_ms))

    def doubt(self, channel: str, now_ms: int) -> None:
        """Something has happened that only a full reading can tell, so the next one is to be full."""
        self.store.client.hset(_key(channel), "unsure", str(now_ms))

    def state(self, channel: str) -> PullState:
        """How far it has come."""
        fields = cast("dict[str, str]", self.store.client.hgetall(_key(channel)))
        return PullState(
            wanted_ms=int(fields.get("wanted", 0)),
            asked_ms=int(fields.get("asked", 0)),
            unsure_ms=int(fields.get("unsure", 0)),
            began_ms=int(fields.get("began", 0)),
            cursor=fields.get("cursor"),
            way=fields.get("way", ""),
            rows=int(fields.get("rows", 0)),
            resumed="resumed" in fields,
            finished_ms=int(fields.get("finished", 0)),
            finished_began_ms=int(fields.get("finished_began", 0)),
            last_rows=int(fields.get("last_rows", 0)),
            figures=Figures(*json.loads(fields.get("figures", "[]"))),
            pages=int(fields.get("pages", 0)),
            last_errors=int(fields.get("last_errors", 0)),
            believed_ms=int(fields.get("believed", 0)),
            changed_ms=int(fields.get("changed", 0)),
            changing_ms=int(fields.get("changing", 0)),
        )

    def begin(self, channel: str, now_ms: int, way: str = "") -> None:
        """A full reading begins."""
        self._replace(channel, {"began": now_ms, "rows": 0, "way": way}, "cursor", "resumed", "figures", "pages")

    def restart(self, channel: str, now_ms: int) -> None:
        """Give up a reading under way, and ask for one that begins from now on."""
        self._replace(channel, {"wanted": now_ms}, "began", "cursor", "rows", "resumed")

    def resume(self, channel: str) -> None:
        """A full reading is taken up again."""
        self.store.client.hset(_key(channel), "resumed", "1")

    def lose_place(self, channel: str, began_ms: int) -> None:
        """The channel does not know any longer where a reading was to go on, so that the next one begins anew."""
        self._note(channel, began_ms, {"rows": 0}, "cursor", under_way=True)

    def advance(
        self, channel: str, began_ms: int, cursor: str | None, rows: int, figures: Figures = NOTHING, pages: int = 0
    ) -> bool:
        """A page has been applied. False: another reading has begun since this one did, which then ends here."""
        counted: dict[str, str | int] = {"rows": rows, "figures": json.dumps(figures), "pages": pages}
        return self._note(channel, began_ms, counted | ({"cursor": cursor} if cursor else {}), under_way=True)

    def finish(self, channel: str, state: PullState, now_ms: int, *, believed: bool = True) -> bool:
        """The full reading has ended. False: another one has begun since this one did."""
        gone = ["wanted", "asked", "unsure", "began", "cursor", "way", "rows", "resumed", "figures", "pages"]
        ended = {"finished": now_ms, "finished_began": state.began_ms, "last_rows": state.rows}
        if believed:
            ended |= {"believed": state.began_ms, "last_errors": state.figures.errors}
        return self._note(channel, state.began_ms, ended, *gone, under_way=True)

    def begin_changes(self, channel: str, now_ms: int) -> None:
        """A reading of what has changed begins. It needs no more than that: one that dies is made again."""
        self.store.client.hset(_key(channel), "changing", str(now_ms))

    def changes_read(self, channel: str, began_ms: int) -> None:
        """What had changed when this reading began is merged, to its last page."""
        self._note(channel, began_ms, {"changed": began_ms}, "asked", under_way=False)

    def _note(self, channel: str, began_ms: int, fields: Mapping[str, str | int], *gone: str, under_way: bool) -> bool:
        pairs = [part for pair in fields.items() for part in pair]
        arguments = [began_ms, int(under_way), len(fields), *pairs, *gone]
        return bool(self.store.run("pull_note", [Call([_key(channel)], arguments)])[0])

    def _replace(self, channel: str, fields: Mapping[Any, Any], *gone: str) -> None:
        pipeline = self.store.client.pipeline(transaction=True)
        pipeline.hset(_key(channel), mapping=fields)
        if gone:
            pipeline.hdel(_key(channel), *gone)
        pipeline.execute()


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
    state, way = pulls.state(name), _way(channel)
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


def _way(channel: Channel) -> str:
    """A short text that changes whenever a channel's settings do, but for its secrets."""
    return hashlib.blake2b(channel.settings.model_dump_json().encode(), digest_size=8).hexdigest()


def figures_of(merged: Merged) -> str:
    """What became of the rows of a reading, in words."""
    return ", ".join(f"{count} {what}" for what, count in sorted(merged.counts.items())) or "nothing new"


def _key(channel: str) -> str:
    return f"{PREFIX}pull:{channel}"
