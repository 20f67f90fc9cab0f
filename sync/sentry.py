"""Errors go to Sentry when a DSN is set: without secrets, without local variables, without personal data."""

from __future__ import annotations

from typing import Any

import sentry_sdk
from celery.signals import beat_init, celeryd_init
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber

from sync.settings import Settings

#: Names of values that never leave this machine, beside Sentry's own list.
DENYLIST = [*DEFAULT_DENYLIST, "access_token", "refresh_token", "client_secret", "x-auth-token", "x-amz-access-token"]


def connect() -> None:
    """Have workers and beat report errors. Importing this has no other effect."""
    celeryd_init.connect(_start, weak=False)
    beat_init.connect(_start, weak=False)


def _start(**_: Any) -> None:
    from sync.celery import app

    configure(app.context.settings)


def configure(settings: Settings) -> None:
    """Start reporting, if there is a DSN."""
    if settings.sentry_dsn is None:
        return
    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        integrations=[CeleryIntegration(monitor_beat_tasks=True)],
        send_default_pii=False,
        include_local_variables=False,
        event_scrubber=EventScrubber(recursive=True, denylist=DENYLIST),
        shutdown_timeout=2,
    )
