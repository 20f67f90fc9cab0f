"""How far a reconcile has come, read from the store: what is still to be read, written and confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sync.context import Context
from sync.guard.gate import unread
from sync.guard.holds import Kind
from sync.readings import Pulls


@dataclass(frozen=True, slots=True)
class ChannelProgress:
    """How far one channel has come since somebody asked."""

    name: str
    #: Whether a full reading that began after the asking has ended.
    read: bool
    #: Rows read so far, and how many the last full reading had (0: never read).
    rows: int
    expected: int
    #: Listings still to be looked at for a write, and writes not confirmed yet.
    dirty: int
    open: int
    #: What is wrong with the channel; empty when nothing is.
    trouble: str
    #: Why what is left waits for a person, in words; empty when it does not.
    waits: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.read and not self.dirty and not self.open

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself soon: done, in trouble, or waiting for a person."""
        return self.done or bool(self.trouble) or (bool(self.waits) and not self.open)


def progress(context: Context, names: Iterable[str], asked_ms: int) -> list[ChannelProgress]:
    """How far these channels have come since ``asked_ms``."""
    found = []
    for name in names:
        state = Pulls(context.store).state(name)
        trouble = context.breaker.trouble(name)
        waiting = context.worklist.waiting(name, context.store.now_ms())
        read = not state.wanted_ms and state.finished_began_ms >= asked_ms
        found.append(
            ChannelProgress(
                name=name,
                read=read,
                rows=state.rows if state.began_ms else state.last_rows,
                expected=state.last_rows,
                dirty=waiting.dirty,
                open=waiting.open,
                trouble=trouble.message if trouble and trouble.failures else "",
                waits=_waits(context, name, read=read),
            )
        )
    return found


def _waits(context: Context, name: str, *, read: bool) -> str:
    """Why nothing more happens on a channel until a person says so; empty where that is not so."""
    pause = context.pauses.of(name)
    if pause and (read or pause.reading):
        return f"{pause.words}; end it: celery -A sync resume {name}"
    for kind in (Kind.FIRST_CONTACT, Kind.PLAN):
        hold = context.holds.of(kind, name) if read else None
        if hold:
            return (
                f"{hold.figures.changed} writes wait for approval: celery -A sync plan --channel {name}, then: celery"
                f" -A sync approve {hold.id}"
            )
    before = "" if context.holds.contacted(name) or context.settings.guard.auto_approve_first else unread(context, name)
    if read and before and before != name and context.breaker.trouble(before):
        return f"nothing is written before {before} has been read"
    return ""
