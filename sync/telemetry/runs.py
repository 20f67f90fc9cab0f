"""Runs: an id that goes from what set things going (a webhook, a tick, a command) to every write that follows.

It is born where something sets things going, travels in a header of each message, and stands in every line that is
logged by the tasks which follow, and in the cause of the movements that they book.

Bells gather: of many that ring for one look only the first sends a message, so a task's run is that of the first.
The others say at DEBUG which run they have joined.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from celery.signals import before_task_publish, task_postrun, task_prerun

#: The header of a message. Not ``correlation_id``: Celery overrides that one with the task's id.
HEADER = "x_run_id"


class Work(NamedTuple):
    """What this thread is at work for. Each is empty where it is not known."""

    run: str = ""
    task: str = ""
    task_id: str = ""
    channel: str = ""


_NOTHING = Work()
_work: ContextVar[Work] = ContextVar("work", default=_NOTHING)


def current() -> Work:
    """What this thread is at work for."""
    return _work.get()


def new_id() -> str:
    """An id for a run."""
    return uuid.uuid4().hex[:12]


@contextmanager
def run(channel: str = "") -> Iterator[str]:
    """Begin a run, for as long as the block lasts. What is rung for within belongs to it."""
    token = _work.set(Work(run=new_id(), channel=channel))
    try:
        yield current().run
    finally:
        _work.reset(token)


def caused(cause: str) -> str:
    """A cause with the run that it belongs to, for the history of a SKU."""
    work = current()
    return f"{cause}, run {work.run}" if work.run else cause


def connect() -> None:
    """Have runs travel with the messages."""
    before_task_publish.connect(_send, weak=False)
    task_prerun.connect(_begin, weak=False)
    task_postrun.connect(_end, weak=False)


def _send(headers: dict[str, Any], **_: Any) -> None:
    headers.setdefault(HEADER, current().run or new_id())


def _begin(task_id: str, task: Any, kwargs: Mapping[str, Any], **_: Any) -> None:
    run_id = getattr(task.request, HEADER, None) or new_id()
    _work.set(Work(run_id, task.name, task_id, str((kwargs or {}).get("channel") or "")))


def _end(**_: Any) -> None:
    _work.set(_NOTHING)
