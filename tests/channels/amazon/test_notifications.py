"""Notifications are hints: which listings to read again, whatever the queue repeats, mixes up or garbles."""

from __future__ import annotations

import json
import sys
import uuid

import pytest

from channels.amazon import AmazonSettings
from channels.amazon.notifications import BadNotification, hint
from channels.amazon.sandbox.account import FBA
from channels.errors import Denied, Rejected, Unanswered, Unreachable
from channels.sandbox import Fault


@pytest.fixture
def settings(sandbox, url):
    return AmazonSettings.model_validate(sandbox.settings(url))


@pytest.fixture
def told(sandbox, settings):
    """What the mock tells, as hints, and forgets."""
    sandbox.notifications.copies = 1

    def told(settings=settings):
        bodies = [message["Body"] for message in sandbox.notifications.receive(100)]
        sandbox.notifications.clear()
        return [hint(settings, body) for body in reversed(bodies)]

    return told


def test_a_changed_quantity_names_its_listing(sandbox, told):
    sandbox.account.put("A", 10)
    (one,) = told()
    assert (one.scope, one.refs) == ("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", ("A",))


def test_a_changed_order_names_what_was_ordered(sandbox, told):
    sandbox.account.put("A", 10)
    order = sandbox.account.sell("A", 2)
    sandbox.account.advance(order, "CANCELLED")
    orders = [one for one in told() if one.scope == "ORDER_CHANGE"]
    assert [one.refs for one in orders] == [("A",)] * 2
    assert len({one.key for one in orders}) == 2


def test_what_amazon_ships_concerns_only_the_channel_that_reads_its_stock(sandbox, url, told):
    sandbox.account.put("A", 10, network=FBA)
    sandbox.account.sell("A", 2)
    ours = AmazonSettings.model_validate(sandbox.settings(url) | {"stock": "amazon"})
    assert [one.refs for one in told(ours)] == [("A",)]
    sandbox.account.sell("A", 2)
    assert [one.refs for one in told()] == [()]


@pytest.mark.parametrize("change", [{"seller_id": "OTHER"}, {"marketplace_id": "OTHER"}])
def test_what_concerns_another_account_asks_for_nothing(sandbox, url, told, change):
    sandbox.account.put("A", 10)
    told()
    sandbox.account.sell("A", 2)
    other = AmazonSettings.model_validate(sandbox.settings(url) | change)
    assert [one.refs for one in told(other) if one.scope == "ORDER_CHANGE"] == [()]


def test_a_kind_that_is_not_used_asks_for_nothing(settings):
    body = {"NotificationType": "FEED_PROCESSING_FINISHED", "Payload": {}}
    assert hint(settings, json.dumps(body | {"NotificationMetadata": {"NotificationId": "1"}})).refs == ()


@pytest.mark.parametrize("body", ["", "[]", "{}", "null", '{"NotificationType": "ORDER_CHANGE", "Payload": {}}'])
def test_what_is_no_notification_is_told_apart(settings, body):
    with pytest.raises(BadNotification):
        hint(settings, body)


class TestTheQueue:
    """The queue itself, by boto3 and over real HTTP."""

    @pytest.fixture
    def channel(self, sandbox, url, connect):
        pytest.importorskip("boto3", reason="boto3 is not installed (extra sqs)")
        return connect(**sandbox.queue_settings(url))

    def test_it_is_emptied_ten_at_a_time(self, sandbox, channel):
        for number in range(25):
            sandbox.account.put(f"SKU-{number}", 1)
        batches = list(channel.hints())
        assert [len(batch) for batch in batches] == [10, 10, 5]
        assert {ref for batch in batches for one in batch for ref in one.refs} == {f"SKU-{n}" for n in range(25)}
        assert sandbox.notifications.waiting == 0

    def test_what_was_given_stays_until_the_next_is_asked_for(self, sandbox, channel, clock):
        sandbox.account.put("A", 1)
        first = next(channel.hints())
        assert sandbox.notifications.waiting == 1
        clock.advance(31)
        assert list(channel.hints()) == [first]

    def test_repetitions_have_one_key(self, sandbox, channel):
        sandbox.notifications.copies = 3
        sandbox.account.put("A", 1)
        (batch,) = channel.hints()
        assert len({one.key for one in batch}) == 1

    def test_garbage_stops_only_itself_and_is_dropped(self, sandbox, channel):
        sandbox.notifications.put("garbage")
        sandbox.account.put("A", 1)
        (batch,) = channel.hints()
        assert [one.refs for one in batch] == [("A",)]
        assert sandbox.notifications.waiting == 0

    @pytest.mark.parametrize(
        ("trouble", "error"),
        [
            (Fault("answer", status=403), Denied),
            (Fault("answer", status=500), Unanswered),
            (Fault("hang up"), Unanswered),
        ],
    )
    def test_trouble_is_an_error_of_the_channel(self, sandbox, channel, trouble, error):
        trouble.match = "^POST /$"
        sandbox.faults.add(trouble)
        with pytest.raises(error, match="receive notifications"):
            list(channel.hints())

    def test_a_queue_that_does_not_exist_is_an_error(self, sandbox, url, connect):
        pytest.importorskip("boto3", reason="boto3 is not installed (extra sqs)")
        table = sandbox.queue_settings(url) | {"queue_url": f"{url}/1/{uuid.uuid4()}"}
        with pytest.raises(Rejected, match="does not exist"):
            list(connect(**table).hints())

    def test_an_address_that_is_no_queues_is_an_error(self, sandbox, url, connect):
        pytest.importorskip("boto3", reason="boto3 is not installed (extra sqs)")
        table = sandbox.queue_settings(url) | {"queue_url": "https://sqs.-bad_.amazonaws.com/1/queue"}
        with pytest.raises(Rejected, match=r"region.*Check queue_url"):
            list(connect(**table).hints())

    def test_its_secret_shows_nowhere(self, channel):
        secret = channel.settings.aws_secret_access_key.get_secret_value()
        assert f"'{secret}'" not in repr(channel)


def test_without_a_queue_there_are_no_hints(channel):
    assert list(channel.hints()) == []


def test_a_queue_without_boto3_is_an_error_that_says_what_to_install(sandbox, url, connect, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "channels.amazon.sqs", raising=False)
    with pytest.raises(Unreachable, match=r"inventory-sync\[sqs\]"):
        list(connect(**sandbox.queue_settings(url)).hints())
