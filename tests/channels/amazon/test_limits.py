"""Quotas: what is told to the budget, and when to come again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests

from channels.errors import ChannelError, Denied, Throttled
from channels.sandbox import Fault
from channels.services import Quota, Services


class Recorder:
    """A budget that writes down what it is told."""

    def __init__(self):
        self.told = []

    def enter(self, operation):
        self.told.append(operation)

    def leave(self, operation, quota, *, throttled_s=None, status=None):
        self.told.append((operation, quota, throttled_s))


@pytest.fixture
def budget():
    return Recorder()


@pytest.fixture
def limited(sandbox, connect, budget, memory):
    sandbox.buckets.scale = 1.0
    return connect(Services(budget=budget, memory=memory))


def test_the_rate_header_reaches_the_budget_under_the_name_of_the_operation(limited, budget):
    list(limited.read_all())
    assert budget.told == ["search listings", ("search listings", Quota(rate=5.0), None)]


def test_a_429_names_no_time_so_the_documented_rate_does(sandbox, limited, budget, clock):
    for _ in range(5):
        list(limited.read_all())
    with pytest.raises(Throttled) as caught:
        list(limited.read_all())
    assert caught.value.retry_after_s == 1.0
    assert "QuotaExceeded" in str(caught.value)
    assert budget.told[-1] == ("search listings", Quota(), 1.0)
    clock.advance(0.2)
    list(limited.read_all())


def test_orders_come_back_only_after_three_minutes(limited, clock):
    since = datetime.fromtimestamp(clock(), UTC)
    for _ in range(20):
        list(limited.sales(since))
    with pytest.raises(Throttled) as caught:
        list(limited.sales(since))
    assert 178 < caught.value.retry_after_s < 180


def test_credentials_that_cannot_be_had_cost_no_leave_to_call(sandbox, limited, budget):
    sandbox.gate.refresh_token = "Atzr|other"
    with pytest.raises(Denied):
        list(limited.read_all())
    assert budget.told == []


def test_an_error_carries_amazons_words_and_its_id_of_the_request(sandbox, connect):
    with pytest.raises(ChannelError) as caught:
        list(connect(marketplace_id="NOWHERE").read_all())
    assert "InvalidInput: Invalid 'marketplaceIds' provided." in str(caught.value)
    assert len(caught.value.request_id) == 36


def test_an_error_of_html_is_told_as_text(sandbox, channel):
    sandbox.faults.add(Fault("answer", status=503))
    sandbox.faults.add(Fault("answer", match="^POST", status=503))
    with pytest.raises(ChannelError, match="503 Service Temporarily Unavailable"):
        list(channel.read_all())


@pytest.mark.parametrize("rate", ["0", "-1", "inf", "nan", "1e-320", "1e300", "five"])
def test_a_rate_that_is_none_is_not_believed(channel, rate):
    answer = requests.Response()
    answer.status_code, answer.headers["x-amzn-RateLimit-Limit"] = 429, rate
    answer.request = requests.Request("GET", "https://api.example.com/elsewhere").prepare()
    assert channel.client.quota("search listings", answer) == Quota()
    assert channel.client.pause_s(answer) == 1.0
