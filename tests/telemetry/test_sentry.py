"""What becomes of one event before it is sent to Sentry."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from typing import Any

import pytest

from channels.errors import ChannelError, Denied, Throttled
from sync.schedule import parse_schedule
from sync.telemetry.redaction import Redactor
from sync.telemetry.runs import Work, _work
from sync.telemetry.sentry import _not_monitored, reporter


class Desk:
    """A process that reports, and counts alone."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.report = reporter(Redactor(["the-secret"]), self._count)

    def _count(self, what: str) -> int:
        self.counts[what] += 1
        return self.counts[what]

    def logged(self, level: int, message: str, **extra: object) -> dict[str, Any] | None:
        record = logging.makeLogRecord({"levelno": level, "msg": message, **extra})
        return self._told({"logentry": {"message": message}}, {"log_record": record})

    def raised(self, error: Exception, **event: object) -> dict[str, Any] | None:
        try:
            raise error
        except Exception:  # noqa: BLE001 - it is reported
            return self._told(dict(event), {"exc_info": sys.exc_info()})

    def _told(self, event: Any, hint: Any) -> dict[str, Any] | None:
        told: Any = self.report(event, hint)
        return None if told is None else dict(told)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_warning_is_for_whoever_reads_the_log_unless_it_is_trouble(desk: Desk) -> None:
    assert desk.logged(logging.WARNING, "a row is bad") is None
    assert not desk.counts
    told = desk.logged(logging.WARNING, "refused", trouble="parked", channel="store", sku="MUG")
    assert told is not None
    assert told["tags"] == {"channel": "store", "sku": "MUG", "trouble": "parked"}


def test_trouble_of_one_kind_on_one_channel_is_one_issue(desk: Desk) -> None:
    first = desk.logged(logging.ERROR, "a file is held as 1", trouble="held", channel="till")
    assert first is not None
    assert first["fingerprint"] == ["held", "till"]
    assert desk.logged(logging.ERROR, "a file is held as 2", trouble="held", channel="till") is None
    assert desk.logged(logging.ERROR, "a file is held as 3", trouble="held", channel="other") is not None


def test_an_event_has_the_work_that_it_happened_in(desk: Desk) -> None:
    token = _work.set(Work("5f0c9a41d2e3", "sync.push", "id", "market"))
    try:
        told = desk.raised(KeyError("x"))
    finally:
        _work.reset(token)
    assert told is not None
    assert told["tags"] == {"channel": "market", "task": "sync.push", "run": "5f0c9a41d2e3"}


@pytest.mark.parametrize(
    "error", [Denied("market", "read", "no"), Throttled("market", "read", "slowly", retry_after_s=3)]
)
def test_errors_of_a_channel_are_grouped_by_what_was_being_done(desk: Desk, error: ChannelError) -> None:
    told = desk.raised(error)
    assert told is not None
    assert told["fingerprint"] == [type(error).__name__, "market", "read"]
    assert told["tags"]["channel"] == "market"


def test_like_errors_are_told_by_their_number(desk: Desk) -> None:
    told = [desk.raised(ValueError(f"number {number}")) for number in range(100)]
    numbers = [event["extra"]["like it within the hour"] for event in told if event is not None]
    assert numbers == [1, 10, 100]


def test_nothing_of_a_request_is_sent_and_no_secret(desk: Desk) -> None:
    told = desk.raised(
        ValueError("the-secret"),
        request={"url": "http://x/bigcommerce/auth?code=abc", "headers": {"Webhook-Signature": "v1,abc"}},
        breadcrumbs={"values": [{"message": "Authorization: Bearer tk-5f0c9a"}, {"data": {"x": "the-secret"}}]},
    )
    assert told is not None
    assert "request" not in told
    assert "the-secret" not in str(told)
    assert "tk-5f0c9a" not in str(told)


def test_entries_that_sentry_cannot_monitor_are_left_out() -> None:
    tables = {
        name: {"task": "sync.sweep", "every": every} for name, every in {"a": "5s", "b.c": "90s", "d": "1m"}.items()
    }
    schedule = parse_schedule(tables | {"e": {"task": "sync.sweep", "cron": "* * * * *"}}, "a schedule")
    assert _not_monitored(schedule) == ["^a$", r"^b\.c$"]
