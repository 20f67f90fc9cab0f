"""The scheduler. Any number of them may run, by mistake or on purpose, and each tick counts once.

A tick is named by its entry and its slot: the moment for which it was scheduled, which is the same for every scheduler
whatever its clock shows. Each of them sends every tick; the first message that reaches a worker claims the name in
the store, and the others are dropped. So nobody leads, there is nothing to take over when one dies, and none keeps a
file: what was last done is asked of the store.
"""

from __future__ import annotations

import copy
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import redis
from celery import Task
from celery.beat import ScheduleEntry, Scheduler

from sync.schedule import check_schedule, slot_of
from sync.storage.store import PREFIX, Call, Store

if TYPE_CHECKING:
    from sync.celery import SyncApp

log = logging.getLogger(__name__)

#: The header of a message that holds the tick's name.
HEADER = "x_tick"

_KEY = f"{PREFIX}ticks"


class Tick(NamedTuple):
    """One moment at which an entry of the schedule was to run."""

    entry: str
    #: In unix seconds.
    slot: int

    @classmethod
    def parse(cls, text: str) -> Tick:
        """From the header of a message."""
        slot, _, entry = text.partition(" ")
        return cls(entry, int(slot))

    def __str__(self) -> str:
        return f"{self.slot} {self.entry}"


class Ticks:
    """The ticks that were claimed in one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def claim(self, tick: Tick, message: str) -> bool:
        """Claim a tick for a message. A message that is delivered again still has its own."""
        args: list[str | int] = [tick.entry, tick.slot, message, self.store.now_ms() // 1000]
        return bool(self.store.run("tick", [Call([_KEY], args)])[0])

    def last(self) -> dict[str, int]:
        """The newest slot of each entry that was claimed, in unix seconds."""
        found = cast("dict[str, str]", self.store.client.hgetall(_KEY))
        return {entry: int(value.split(" ")[0]) for entry, value in found.items()}


class TickTask(Task):  # type: ignore[misc]
    """A task that does not run for a tick that was already taken."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run, unless this is a repeated tick."""
        if self.request.called_directly:
            return super().__call__(*args, **kwargs)
        name = getattr(self.request, HEADER, None)
        if name:
            tick = Tick.parse(name)
            context = self.app.context
            fresh = Ticks(context.store).claim(tick, self.request.id)
            context.counters.add("ticks", tick.entry, "taken" if fresh else "repeated")
            log.debug("tick %s: %s", tick, "taken" if fresh else "another scheduler's was taken before")
            if not fresh:
                return None
        return self.run(*args, **kwargs)

    def on_failure(self, *_: Any, **__: Any) -> None:
        """Count what went wrong on our own side; trouble of a channel is no failure of a task."""
        self.app.context.counters.add("task_failures", self.name)


class TickScheduler(Scheduler):  # type: ignore[misc]
    """Sends every tick of the schedule, named by its slot.

    Raises:
        sync.errors.SettingsError: the schedule names a task, an argument or a channel that there is not.
    """

    app: SyncApp

    def __init__(self, app: SyncApp, *args: Any, **kwargs: Any) -> None:
        check_app(app)
        super().__init__(app, *args, **kwargs)

    def setup_schedule(self) -> None:
        """All entries, each with the time at which it last ran anywhere."""
        super().setup_schedule()
        log.info("ticking for %s", ", ".join(self.schedule) or "nothing: the schedule is empty")
        try:
            last = Ticks(self.app.context.store).last()
        except redis.RedisError as error:
            log.warning("the store does not say when tasks last ran (%s): counting from now", error)
            return
        for name, slot in last.items():
            if name in self.schedule:
                entry = self.schedule[name]
                # a scheduler whose clock was ahead may have claimed it
                entry.last_run_at = min(datetime.fromtimestamp(slot, UTC), entry.schedule.now())

    def apply_async(self, entry: ScheduleEntry, *args: Any, **kwargs: Any) -> Any:
        """Send a tick."""
        named = copy.copy(entry)
        tick = Tick(entry.name, slot_of(entry.schedule, entry.schedule.now()))
        named.options = {**entry.options, "headers": {**entry.options.get("headers", {}), HEADER: str(tick)}}
        result = super().apply_async(named, *args, **kwargs)
        log.debug("tick %s: sent", tick)
        return result


def check_app(app: SyncApp) -> None:
    """Make sure that every entry of an app's schedule can run.

    Raises:
        sync.errors.SettingsError: one cannot; the message names it.
    """
    app.loader.import_default_modules()
    settings = app.context.settings
    check_schedule(
        app.conf.beat_schedule,
        {name: task.run for name, task in app.tasks.items()},
        settings.channel_names,
        str(settings.schedule or "the default schedule"),
    )
