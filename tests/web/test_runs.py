"""A webhook begins a run, and what it rings for belongs to it."""

from __future__ import annotations

import json
import logging
from typing import Any, cast

import pytest

from sync.telemetry import runs
from tests.web.conftest import BROKER_PREFIX, Desk


def headers(desk: Desk) -> list[dict[str, Any]]:
    """The headers of all messages that wait for a worker."""
    waiting = cast("list[str]", desk.broker.lrange(f"{BROKER_PREFIX}webhooks", 0, -1))
    return [json.loads(raw)["headers"] for raw in waiting]


def test_the_message_has_the_run_of_the_request(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(runs.current().run)  # type: ignore[method-assign]
    logger = logging.getLogger("sync.web.receiver")
    logger.addHandler(handler)
    with caplog.at_level(logging.DEBUG):
        desk.send()
    logger.removeHandler(handler)
    (message,) = headers(desk)
    assert [message[runs.HEADER]] == seen
    assert runs.current().run == ""


def test_an_event_that_joins_another_run_says_which(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.send(desk.event(7))
    with caplog.at_level(logging.DEBUG, "sync.bells"):
        desk.send(desk.event(8))
    (message,) = headers(desk)
    assert f"by run {message[runs.HEADER]}: joining it" in caplog.text


def test_requests_are_runs_of_their_own(desk: Desk) -> None:
    seen = set()
    for product in (7, 8):
        desk.send(desk.event(product))
        seen.update(message[runs.HEADER] for message in headers(desk))
        desk.come()
    assert len(seen) == 2
