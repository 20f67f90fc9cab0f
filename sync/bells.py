"""Ringing for a task (rule 14). A ring says "look"; what to look at stands in the store, so none is precious."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from kombu.exceptions import OperationalError

from sync.guard import gate
from sync.storage.store import PREFIX
from sync.telemetry import runs

if TYPE_CHECKING:
    from sync.celery import SyncApp

log = logging.getLogger(__name__)

#: For how long a ring stands for all others like it, in milliseconds, should its task never run.
RING_MS = 5000

#: The longest countdown, in seconds: due times stand in the store, this is only to look soon after one.
SOON_S = 60.0

#: By how much a ring must be due before the one that is already on its way, in milliseconds, to be worth another.
EARLIER_MS = 100


class Bells:
    """The doorbells of one app."""

    def __init__(self, app: SyncApp) -> None:
        self.app = app

    def ring(self, task: str, channel: str) -> None:
        """Have a task look at a channel now, unless it has been rung for and has not come yet."""
        key = _key(task, channel)
        client = self.app.context.store.client
        if client.set(key, runs.current().run or "1", px=RING_MS, nx=True):
            self._send(key, task, channel)
        elif log.isEnabledFor(logging.DEBUG):
            log.debug("%s: %s has been rung for already, by run %s: joining it", channel, task, client.get(key))

    def ring_after(self, task: str, channel: str, seconds: float) -> None:
        """Have a task look at a channel a little later, unless it has been rung for at such a time already."""
        if seconds <= 0:
            self.ring(task, channel)
            return
        countdown = min(seconds, SOON_S)
        store = self.app.context.store
        key, due_ms = _key(task, channel) + ":later", store.now_ms() + round(countdown * 1000)
        rung_ms = int(cast("str | None", store.client.get(key)) or 0)
        if rung_ms == 0 or due_ms < rung_ms - EARLIER_MS:
            store.client.set(key, str(due_ms), px=max(1, round(countdown * 1000)))
            self._send(key, task, channel, countdown=countdown)

    def answered(self, task: str, channel: str) -> None:
        """The task has come: the next ring is a new one."""
        self.app.context.store.client.delete(_key(task, channel))

    def ring_for_dirty(self, *, beside: str | None = None) -> None:
        """Ring for a push on every channel that has something to push and is not left alone, beside one."""
        context = self.app.context
        now_ms, paused = context.store.now_ms(), context.pauses.all()
        for name, channel in context.channels.items():
            if name == beside or name in paused or not channel.capabilities.writes:
                continue
            rank = context.worklist.first_rank(name)
            if rank is None or context.breaker.closed_to(name, now_ms, "sync.push", rank):
                continue
            if not gate.rests(context, name):
                self.ring("sync.push", name)

    def _send(self, key: str, task: str, channel: str, countdown: float | None = None) -> None:
        try:
            self.app.send_task(task, kwargs={"channel": channel}, countdown=countdown)
        except OperationalError as error:
            self.unheard(key, task, channel, error)

    def unheard(self, key: str, task: str, channel: str, error: OperationalError) -> None:
        """The broker took no ring. What is to be done stands in the store."""
        log.warning("the broker took no ring for %s of %s (%s); the sweeper rings again", task, channel, error)


def _key(task: str, channel: str) -> str:
    return f"{PREFIX}bell:{task}:{channel}"
