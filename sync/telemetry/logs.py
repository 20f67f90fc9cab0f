"""Logs: one line an event, as text for people or as JSON for programs, with the run and the task that it belongs to."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from celery.signals import setup_logging

from sync.context import Context
from sync.legible import shown
from sync.telemetry import runs
from sync.telemetry.redaction import Redactor

#: Attributes that every log record has; all others are fields that the caller added.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

#: One line for each task and each request is too much: our own tasks say what they have done.
TALKATIVE = ("celery.app.trace", "celery.beat", "celery.worker.strategy", "urllib3", "werkzeug")


def connect() -> None:
    """Have workers and beat log our way."""
    setup_logging.connect(_configure, weak=False)


def _configure(loglevel: int | str | None = None, **_: Any) -> None:
    from sync.celery import app

    configure(app.context, loglevel or logging.INFO)


def configure(context: Context, level: int | str) -> None:
    """Send all log lines to standard error, in the format of the settings and without secrets."""
    redactor, settings = context.redactor, context.settings
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(redactor) if settings.log_format == "json" else TextFormatter(redactor))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    gunicorn = logging.getLogger("gunicorn.error")
    gunicorn.handlers, gunicorn.propagate = [], True
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class TextFormatter(logging.Formatter):
    """``2026-01-31 12:00:00 INFO sync.pull: store: 120 listings read [run 5f0c..., sync.pull 9a41...]``.

    A traceback follows on lines of its own, each indented; nothing else has a second line.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S")
        self._redactor = redactor

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The first line."""
        line = shown(super().formatMessage(record))
        work = runs.current()
        marks = [f"run {work.run}"] if work.run else []
        if work.task:
            marks.append(f"{work.task} {work.task_id}")
        return f"{line} [{', '.join(marks)}]" if marks else line

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """The traceback, indented."""
        return "\n".join(f"    {shown(line)}" for line in super().formatException(ei).split("\n"))

    def format(self, record: logging.LogRecord) -> str:
        """The record without secrets."""
        record.exc_text = None  # what another handler has made of it is not ours
        return self._redactor.clean(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``at``, ``level``, ``logger``, ``message``, the work it is for, the caller's fields."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in runs.current()._asdict().items() if value},
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(
            self._redactor.clean_all(line), default=lambda value: self._redactor.clean(str(value)), ensure_ascii=False
        )
