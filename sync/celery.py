"""The Celery app. Importing this module reads no settings and opens no connection."""

from __future__ import annotations

from functools import cached_property

import celery

from sync import logs, runs, sentry
from sync.context import Context
from sync.settings import load_settings


class SyncApp(celery.Celery):  # type: ignore[misc]
    """Celery, with the settings and all that follows from them within reach of every task and command."""

    @cached_property
    def context(self) -> Context:
        """What this process works with.

        Raises:
            sync.errors.SettingsError: the settings are wrong.
        """
        return Context(load_settings())


app = SyncApp("sync", include=["sync.tasks"])
app.config_from_object("sync.celeryconfig")
runs.connect()
logs.connect()
sentry.connect()
