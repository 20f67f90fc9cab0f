"""A channel's own queue of events: a sale on Amazon is noticed by its notification, between two readings."""

from __future__ import annotations

from typing import cast

import pytest

from channels.amazon import AmazonChannel, AmazonSettings
from channels.amazon.sandbox import AmazonSandbox
from sync import webhooks
from sync.bells import Bells
from sync.context import Context
from sync.deadline import Deadline
from sync.pull import pull
from sync.refresh import refresh
from sync.settings import Settings
from tests.conftest import TRUSTING, TimedStore, counters

pytest.importorskip("boto3", reason="the queue is read with boto3, an extra")


class Heard:
    """Bells that only note who was rung for."""

    def __init__(self) -> None:
        self.tasks: list[str] = []

    def ring(self, task: str, channel: str) -> None:
        self.tasks.append(task)

    def ring_after(self, task: str, channel: str, seconds: float) -> None:
        self.tasks.append(task)


def test_a_notification_of_a_sale_is_a_movement_soon(store: TimedStore) -> None:
    sandbox, heard = AmazonSandbox(rate_scale=None), Heard()
    sandbox.account.put("MUG", 10)
    with sandbox.serve() as url:
        table = sandbox.settings(url) | sandbox.queue_settings(url) | {"settle_s": 0}
        context = Context(Settings.model_construct(authority="amazon", guard=TRUSTING))
        context.store = store
        context.counters = counters(store)
        context.channels = {"amazon": AmazonChannel("amazon", AmazonSettings.model_validate(table))}
        pull(context, "amazon", Deadline(60))
        store.clock.advance(60)
        sandbox.account.sell("MUG", 3)

        assert webhooks.take(context, cast(Bells, heard), "amazon", Deadline(60))
        assert "sync.refresh" in heard.tasks
        refresh(context, "amazon", Deadline(60))

        assert [(one.units, one.on_hand) for one in context.ledger.history("MUG")] == [(10, 10), (-3, 7)]
        heard.tasks.clear()
        assert webhooks.take(context, cast(Bells, heard), "amazon", Deadline(60))
        assert heard.tasks == []  # the queue is empty: nothing is taken twice
