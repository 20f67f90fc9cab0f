"""The beat schedule: a TOML file, checked when it is read. ``celerybeat-schedule.example`` is the default one."""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from celery.schedules import ParseException, crontab
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from sync.errors import SettingsError

#: What runs when the settings name no schedule: the entries of ``celerybeat-schedule.example``.
DEFAULT: dict[str, dict[str, Any]] = {
    "reconcile": {"task": "sync.reconcile", "every": "15m"},
    "audit-orders": {"task": "sync.audit_orders", "every": "5m"},
    "ensure-webhooks": {"task": "sync.ensure_webhooks", "every": "1h"},
    "hints": {"task": "sync.hints", "every": "10s"},
    "sweep": {"task": "sync.sweep", "every": "5s"},
}

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


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
            "schedule": entry.every or entry.cron,
            "kwargs": entry.arguments,
            # a tick that nobody took before the next one is due is worth nothing
            "options": {"expires": max(10, entry.every.total_seconds())} if entry.every else {},
        }
    return schedule
