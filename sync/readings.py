"""How far the readings of each channel have come. It stands in the store, for one may go on over several tasks.

``is:pull:<channel>`` has these fields:

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
``believed``, ``believed_way``, ``changed``, ``changing``
    When the last full reading began that was believed, and how the channel was set then; when the last one of what has
    changed began that ended, and when the last of those that was begun (ms).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sync.guard.judge import NOTHING, Figures
from sync.storage.store import PREFIX, Call, Store


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
    believed_way: str
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
            believed_way=fields.get("believed_way", ""),
            changed_ms=int(fields.get("changed", 0)),
            changing_ms=int(fields.get("changing", 0)),
        )

    def begin(self, channel: str, now_ms: int, way: str = "") -> None:
        """A full reading begins, and does for whatever has been wished for, though the clock was set back since."""
        state = self.state(channel)
        wishes = {"wanted": state.wanted_ms, "asked": state.asked_ms, "unsure": state.unsure_ms}
        ahead = {name: now_ms for name, at_ms in wishes.items() if at_ms > now_ms}
        fields = ahead | {"began": now_ms, "rows": 0, "way": way}
        self._replace(channel, fields, "cursor", "resumed", "figures", "pages")

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
        ended: dict[str, str | int] = {"finished": now_ms, "finished_began": state.began_ms, "last_rows": state.rows}
        if believed:
            ended |= {"last_errors": state.figures.errors, "believed": state.began_ms, "believed_way": state.way}
            gone.append("changed")  # it is older, whatever a clock says that was set back since
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


def _key(channel: str) -> str:
    return f"{PREFIX}pull:{channel}"
