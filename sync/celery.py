"""The Celery app. Importing this module reads no settings and opens no connection."""

from __future__ import annotations

import mmap
from contextlib import suppress
from functools import cached_property
from typing import Any

import celery
import redis
from celery.result import AsyncResult
from celery.signals import task_prerun, worker_shutting_down
from kombu.exceptions import OperationalError

from sync.context import Context
from sync.errors import BrokerError
from sync.settings import load_settings
from sync.telemetry import logs, runs, sentry


class SyncApp(celery.Celery):  # type: ignore[misc]
    """Celery, with the settings and all that follows from them within reach of every task and command."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: One byte that a worker shares with the processes that it forks as its pool: Celery tells the worker alone.
        self._leaving = mmap.mmap(-1, 1)

    @cached_property
    def context(self) -> Context:
        """What this process works with.

        Raises:
            sync.errors.SettingsError: the settings are wrong.
        """
        return Context(load_settings())

    def send_task(self, *args: Any, **kwargs: Any) -> AsyncResult:
        """Send a task, as Celery does; under any command trouble with the broker then ends in one line.

        Raises:
            sync.errors.BrokerError: the broker does not answer.
        """
        try:
            return super().send_task(*args, **kwargs)
        except OperationalError as error:
            raise BrokerError(error) from error

    def keep_up(self, **_: object) -> None:
        """A task begins (Celery's ``task_prerun``): stores may have installed the app meanwhile, or left."""
        with suppress(redis.RedisError):  # the task finds out for itself
            self.context.keep_up()

    @property
    def leaving(self) -> bool:
        """Whether the worker has been told to stop. Its tasks end at the next good moment, and ring for another."""
        return self._leaving[0] != 0

    def leave(self, **_: object) -> None:
        """The worker has been told to stop (Celery's ``worker_shutting_down``)."""
        self._leaving[0] = 1


app = SyncApp("sync", include=["sync.tasks"], task_cls="sync.beat:TickTask")
app.config_from_object("sync.celeryconfig")
runs.connect()
logs.connect()
sentry.connect()
task_prerun.connect(app.keep_up, weak=False)
worker_shutting_down.connect(app.leave, weak=False)
