"""Log lines: one an event, with the run and the task it belongs to, and without secrets."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.context import Context
from sync.telemetry import logs, runs
from sync.telemetry.logs import JsonFormatter, TextFormatter
from sync.telemetry.redaction import Redactor
from sync.telemetry.runs import Work
from tests.conftest import TimedStore
from tests.telemetry.shop import shop_settings

RECORD = logging.LogRecord("sync.pull", logging.INFO, "pull.py", 1, "%s: %d listings read", ("store", 12), None)


@pytest.fixture
def at_work() -> Iterator[Work]:
    """A task of a run is under way in this thread."""
    work = Work("5f0c9a41d2e3", "sync.pull", "0d5a7f64", "store")
    token = runs._work.set(work)
    yield work
    runs._work.reset(token)


def text(record: logging.LogRecord) -> str:
    return TextFormatter(Redactor(["the-secret"])).format(record)


def fields(record: logging.LogRecord) -> dict[str, object]:
    line = JsonFormatter(Redactor(["the-secret"])).format(record)
    assert "\n" not in line
    found: dict[str, object] = json.loads(line)
    return found


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "sync.push", "levelname": "WARNING", "msg": message, **extra})


def raised(message: str) -> logging.LogRecord:
    try:
        raise ValueError(message)
    except ValueError:
        return record("it failed", exc_info=sys.exc_info())


def test_a_line_of_text_says_when_who_what_and_for_which_run(at_work: Work) -> None:
    assert text(RECORD)[20:] == f"INFO sync.pull: store: 12 listings read [run {at_work.run}, sync.pull 0d5a7f64]"


def test_a_line_outside_any_work_has_no_marks() -> None:
    assert text(RECORD)[20:] == "INFO sync.pull: store: 12 listings read"


def test_a_line_of_json_has_the_work_and_the_callers_fields(at_work: Work) -> None:
    found = fields(record("parked", sku="MUG"))
    assert found.pop("at")
    assert found == {
        "level": "warning",
        "logger": "sync.push",
        "message": "parked",
        "run": at_work.run,
        "task": "sync.pull",
        "task_id": "0d5a7f64",
        "channel": "store",
        "sku": "MUG",
    }


def test_a_message_never_makes_a_second_line() -> None:
    assert text(record("a\nINFO forged: b\r\nc")).count("\n") == 0


def test_only_a_traceback_follows_on_lines_of_its_own_and_indented() -> None:
    first, *others = text(raised("no\nway")).splitlines()
    assert first.endswith("it failed")
    assert others[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in others)
    assert "ValueError" in str(fields(raised("no"))["exception"])


def test_no_secret_is_in_a_line(at_work: Work) -> None:
    for line in (
        text(raised("the-secret")),
        text(record("Authorization: Bearer tk-5f0c9a and the-secret")),
        json.dumps(fields(raised("the-secret"))),
        json.dumps(fields(record("the-secret", headers={"X-Auth-Token": "tk-5f0c9a"}, path=Path("/the-secret")))),
    ):
        assert "the-secret" not in line
        assert "tk-5f0c9a" not in line
        assert "***" in line


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_process_logs_in_the_format_of_its_settings(
    log_format: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    settings = shop_settings().model_copy(update={"log_format": log_format})
    settings._channels = shop_settings()._channels
    logs.configure(Context(settings), "INFO")
    logging.getLogger("sync.test").info("the token is bc-access-token-1")
    logging.getLogger("celery.app.trace").info("Task sync.sweep succeeded")
    (line,) = capsys.readouterr().err.splitlines()
    assert "the token is ***" in line
    assert line.startswith("{") == (log_format == "json")


def test_a_cause_names_its_run_where_there_is_one(at_work: Work, store: TimedStore) -> None:
    assert runs.caused("reading of store") == f"reading of store, run {at_work.run}"
    with runs.run("market") as other:
        assert runs.current() == Work(run=other, channel="market")
    assert runs.current() == at_work


def test_without_a_run_a_cause_is_as_it_was() -> None:
    assert runs.caused("reading of store") == "reading of store"


def test_no_line_acts_on_a_terminal() -> None:
    line = text(record("store: \x1b[2J\x9b31m\u2028 is refused"))
    assert line.isprintable()
    assert "\\x1b[2J" in line
