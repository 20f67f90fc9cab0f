"""Errors go to Sentry when a DSN is set: with channel, SKU, task and run as tags, without secrets, never as a flood.

What is reported: errors of our own; whatever is logged as an error; and expected trouble (a 429, a parked row, a held
run, a channel that cannot be reached), which is logged with the field ``trouble`` and is grouped by it. Of what is
alike all processes together report the 1st, 10th, 100th within an hour, each with the number. Ticks of the schedule
are check-ins of cron monitors.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import sentry_sdk
from celery.signals import beat_init, celeryd_init
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.integrations.redis import RedisIntegration

from channels.errors import ChannelError
from sync.context import Context
from sync.schedule import Slots
from sync.telemetry import runs
from sync.telemetry.flood import Flood, is_told
from sync.telemetry.redaction import Redactor

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

#: Seconds that an error may wait for the store before it is reported without asking it.
PATIENCE_S = 1.0

#: Seconds in which a process that ends sends what it has not sent yet.
LAST_WORDS_S = 2

#: Sentry knows no monitor that is due more often.
SHORTEST_MONITOR_S = 60


def connect() -> None:
    """Have workers and schedulers report errors. Importing this has no other effect."""
    celeryd_init.connect(_start, weak=False)
    beat_init.connect(_start, weak=False)


def _start(**_: Any) -> None:
    from sync.celery import app

    configure(app.context, app.conf.beat_schedule)


def configure(context: Context, schedule: Mapping[str, Mapping[str, Any]]) -> None:
    """Start reporting, if there is a DSN. ``schedule``: Celery's, whose entries are monitored."""
    settings = context.settings
    if settings.sentry_dsn is None:
        return
    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        integrations=[
            CeleryIntegration(monitor_beat_tasks=True, exclude_beat_tasks=_not_monitored(schedule)),
            LoggingIntegration(level=logging.INFO, event_level=logging.WARNING),
        ],
        disabled_integrations=[RedisIntegration()],  # it would note every command, its values and all
        before_send=reporter(context.redactor, Flood(context.open_store(timeout_s=PATIENCE_S)).count),
        include_local_variables=False,
        max_request_body_size="never",
        send_default_pii=False,
        shutdown_timeout=LAST_WORDS_S,
    )


def reporter(redactor: Redactor, count: Callable[[str], int]) -> Callable[[Event, Hint], Event | None]:
    """What every event goes through before it is sent (Sentry's ``before_send``).

    Parameters:
        redactor: Takes secrets out of it.
        count: Counts what is alike; gives how many there were within the hour.
    """

    def report(event: Event, hint: Hint) -> Event | None:
        record: logging.LogRecord | None = hint.get("log_record")
        error = hint["exc_info"][1] if "exc_info" in hint else None
        fields = vars(record) if record else {}
        trouble = fields.get("trouble")
        if record and record.levelno < logging.ERROR and not trouble:
            return None  # a warning for whoever reads the log
        work = runs.current()
        channel = fields.get("channel") or (error.channel if isinstance(error, ChannelError) else work.channel)
        tags = {"channel": channel, "sku": fields.get("sku"), "task": work.task, "run": work.run, "trouble": trouble}
        event.setdefault("tags", {}).update({name: str(value) for name, value in tags.items() if value})
        kind = type(error).__name__ if error else str(record.msg if record else event.get("message"))
        if trouble:
            event["fingerprint"] = [str(trouble), str(channel)]
        elif isinstance(error, ChannelError):
            event["fingerprint"] = [kind, channel, error.operation]
        number = count("\n".join(event.get("fingerprint") or (kind, str(channel), work.task)))
        if not is_told(number):
            return None
        event.setdefault("extra", {})["like it within the hour"] = number
        event.pop("request", None)  # its headers and its address hold signatures and codes
        cleaned: Event = redactor.clean_all(event)  # type: ignore[assignment]
        return cleaned

    return report


def _not_monitored(schedule: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Patterns for the entries of which Sentry can have no monitor."""
    return [
        f"^{re.escape(name)}$"
        for name, entry in schedule.items()
        if isinstance(entry["schedule"], Slots) and entry["schedule"].seconds % SHORTEST_MONITOR_S
    ]
