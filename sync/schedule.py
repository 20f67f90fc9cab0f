"""The beat schedule: a TOML file, checked when it is read. ``celerybeat-schedule.example`` is the default one."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from celery import schedules
from celery.schedules import ParseException, crontab
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from sync.errors import SettingsError, instead

#: What runs when the settings name no schedule: the entries of ``celerybeat-schedule.example``.
DEFAULT: dict[str, dict[str, Any]] = {
    "reconcile": {"task": "sync.reconcile", "every": "15m"},
    "audit-orders": {"task": "sync.audit_orders", "every": "5m"},
    "ensure-webhooks": {"task": "sync.ensure_webhooks", "every": "1h"},
    "hints": {"task": "sync.hints", "every": "10s"},
    "sweep": {"task": "sync.sweep", "every": "5s"},
    "census": {"task": "sync.census", "every": "10m"},
}

#: How long after its time a tick by ``cron`` is still worth sending, in seconds.
CRON_LATE_S = 600

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Slots(schedules.schedule):  # type: ignore[misc]
    """Every so often, on the round: 15 minutes are at :00, :15, :30 and :45 (UTC), for every scheduler alike."""

    def slot(self, at: datetime) -> int:
        """The latest moment of this schedule that is not after ``at``, in unix seconds."""
        period = int(self.seconds)
        return int(at.timestamp()) // period * period

    def remaining_estimate(self, last_run_at: datetime) -> timedelta:
        """How long until the first moment after the last run."""
        return timedelta(seconds=self.slot(last_run_at) + self.seconds - self.now().timestamp())

    def is_due(self, last_run_at: datetime) -> schedules.schedstate:
        """Whether such a moment has come since the last run, and in how many seconds the next one comes.

        One has come too when the clock was set back: better a tick too many than none for as long.
        """
        now = self.now()
        slot = self.slot(now)
        return schedules.schedstate(slot != self.slot(last_run_at), slot + self.seconds - now.timestamp())


def slot_of(when: Slots | crontab, now: datetime) -> int:
    """The moment for which a tick was scheduled that is sent now, in unix seconds."""
    if isinstance(when, Slots):
        return when.slot(now)
    minute = now.astimezone(UTC).replace(second=0, microsecond=0)
    for late in range(CRON_LATE_S // 60 + 1):
        at = minute - timedelta(minutes=late)
        if _matches(when, at):
            return int(at.timestamp())
    return int(minute.timestamp())


def _matches(when: crontab, at: datetime) -> bool:
    return (
        at.minute in when.minute
        and at.hour in when.hour
        and at.day in when.day_of_month
        and at.month in when.month_of_year
        and at.isoweekday() % 7 in when.day_of_week
    )


def _duration(value: object) -> object:
    match = re.fullmatch(r"([1-9]\d*)([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a whole number and a unit, such as 30s, 15m, 6h or 1d")
    try:
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        raise ValueError("is longer than anybody can wait") from None


def _cron(value: object) -> object:
    fields = value.split() if isinstance(value, str) else []
    if len(fields) != 5:
        raise ValueError("must have five fields: minute, hour, day of month, month, day of week")
    minute, hour, day, month, weekday = fields
    try:
        return crontab(minute=minute, hour=hour, day_of_month=day, month_of_year=month, day_of_week=weekday)
    except (ParseException, ValueError) as error:
        raise ValueError(f"is not understood: {error}") from error


class Entry(BaseModel):
    """One line of the schedule: a task and when it runs."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    task: str
    every: Annotated[timedelta, BeforeValidator(_duration)] | None = None
    cron: Annotated[crontab, BeforeValidator(_cron)] | None = None
    arguments: dict[str, Any] = {}

    @model_validator(mode="after")
    def _one_of_two(self) -> Entry:
        if (self.every is None) == (self.cron is None):
            raise ValueError("needs either every or cron")
        return self


def load_schedule(file: Path | None) -> dict[str, dict[str, Any]]:
    """The schedule as Celery's ``beat_schedule``.

    Raises:
        SettingsError: the file cannot be read or an entry is wrong; the message names file, entry and key.
    """
    if file is None:
        return parse_schedule(DEFAULT, "the default schedule")
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: the schedule cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{file}: {error}") from error
    return parse_schedule(tables, str(file))


def parse_schedule(tables: dict[str, Any], source: str) -> dict[str, dict[str, Any]]:
    """The schedule from the tables of its file; ``source`` names the file in errors."""
    schedule = {}
    for name, table in tables.items():
        try:
            entry = Entry.model_validate(table)
        except ValidationError as error:
            lines = []
            for detail in error.errors():
                key = ".".join([name, *(str(part) for part in detail["loc"] if isinstance(part, str))])
                lines.append(f"{source}: {key}: {detail['msg'].removeprefix('Value error, ')}")
            raise SettingsError("\n".join(lines)) from None
        if not entry.task.startswith("sync."):
            raise SettingsError(f"{source}: {name}.task: there is no task {entry.task!r}; they begin with sync.")
        schedule[name] = {
            "task": entry.task,
            "schedule": Slots(entry.every) if entry.every else entry.cron,
            "kwargs": entry.arguments,
            # a tick that nobody took before the next one is due is worth nothing
            "options": {"expires": max(10, entry.every.total_seconds())} if entry.every else {},
        }
    return schedule


def check_schedule(
    schedule: Mapping[str, Mapping[str, Any]],
    tasks: Mapping[str, Callable[..., object]],
    channels: Collection[str],
    source: str,
) -> None:
    """Make sure that there is what a schedule names.

    Parameters:
        schedule: As :func:`load_schedule` gives it.
        tasks: The functions of all tasks, by name.
        channels: The names of all channels.
        source: The schedule's file, for errors.

    Raises:
        SettingsError: there is no such task, argument or channel; one line for each.
    """
    wrong = [
        f"{source}: {name}.{words}"
        for name, entry in schedule.items()
        for words in _wrong(entry["task"], entry["kwargs"], tasks, channels)
    ]
    if wrong:
        raise SettingsError("\n".join(wrong))


def _wrong(
    task: str, arguments: Mapping[str, Any], tasks: Mapping[str, Callable[..., object]], channels: Collection[str]
) -> Iterator[str]:
    if task not in tasks:
        ours = [name for name in tasks if name.startswith("sync.")]
        yield f"task: there is no task {task!r}{instead(task, ours)}"
        return
    parameters = inspect.signature(tasks[task]).parameters
    for name in arguments.keys() - parameters.keys():
        takes = f"it takes {' and '.join(parameters)}" if parameters else "it takes none"
        yield f"arguments: {task} has no argument {name!r}; {takes}"
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in arguments:
            yield f"arguments: {task} needs {name}"
    channel = arguments.get("channel")
    if channel is not None and channel not in channels:
        yield f"arguments.channel: there is no channel {channel!r}{instead(channel, channels)}"
