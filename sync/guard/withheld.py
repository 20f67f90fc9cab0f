"""Rows of readings that wait for the guard's judgement, in the store, so that memory stays flat and a crash keeps them.

``is:{holds}:withheld:<channel>``, and with ``:changed`` after it
    Of the full reading or the file that is being read, and of the reading of what has changed: a hash of page numbers
    to rows. A page that is read again after a crash takes its own place.
``is:{holds}:<id>:rows``
    Of a held file: the same (see :mod:`sync.guard.holds`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from channels import Level
from sync.stock.ledger import Window
from sync.storage.store import PREFIX, Store

#: What all keys of held runs begin with; the braces keep them in one slot of a cluster.
HOLDS = f"{PREFIX}{{holds}}:"


class Chunk(NamedTuple):
    """Rows of one page, with when they were read and what they came from."""

    window: Window
    cause: str
    levels: Sequence[Level]


class Shelf:
    """One hash of withheld rows."""

    def __init__(self, store: Store, key: str) -> None:
        self.store = store
        self.key = key

    @classmethod
    def of_reading(cls, store: Store, channel: str, *, whole: bool = True) -> Shelf:
        """What the reading of a channel that is under way has withheld, the full one or that of what has changed."""
        return cls(store, f"{HOLDS}withheld:{channel}" + ("" if whole else ":changed"))

    @classmethod
    def of_hold(cls, store: Store, hold: str) -> Shelf:
        """The rows of a held file."""
        return cls(store, f"{HOLDS}{hold}:rows")

    def keep(self, page: int, chunk: Chunk) -> None:
        """Keep the rows of one page, in place of what it held."""
        text = json.dumps([*chunk.window, chunk.cause, chunk.levels], ensure_ascii=False, separators=(",", ":"))
        self.store.client.hset(self.key, str(page), text)

    def chunks(self) -> Iterator[Chunk]:
        """Everything that is kept, one page after the other."""
        pages = cast("list[str]", self.store.client.hkeys(self.key))
        for page in sorted(pages, key=int):
            text = cast("str | None", self.store.client.hget(self.key, page))
            if text is not None:
                began_ms, ended_ms, cause, levels = json.loads(text)
                yield Chunk(Window(began_ms, ended_ms), cause, [Level(*level) for level in levels])

    def clear(self) -> None:
        """Keep nothing any longer."""
        self.store.client.delete(self.key)
