"""Logs: one line an event, as text for people or as JSON for programs."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from celery import current_task
from celery.signals import setup_logging

#: Attributes that every log record has; all others are fields that the caller added.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def connect() -> None:
    """Have workers and beat log our way."""
    setup_logging.connect(_configure, weak=False)


def _configure(loglevel: int | str | None = None, **_: Any) -> None:
    from sync.celery import app

    configure(app.context.settings.log_format, loglevel or logging.INFO)


def configure(log_format: str, level: int | str) -> None:
    """Send all log lines to standard error in this format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # one line for each task and each request is too much; our own tasks say what they have done
    for name in ("celery.app.trace", "celery.worker.strategy", "urllib3", "werkzeug"):
        logging.getLogger(name).setLevel(
            max(logging.WARNING, logging.getLevelName(level) if False else logging.WARNING)
        )


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    if current_task:
        fields.setdefault("task", current_task.name)
        fields.setdefault("task_id", current_task.request.id)
    return fields


class TextFormatter(logging.Formatter):
    """``2026-01-31 12:00:00 INFO sync.pull: store: 120 listings read``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``at``, ``level``, ``logger``, ``message``, the task, and the caller's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)
