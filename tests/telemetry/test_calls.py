"""Calls to channels, counted where they are made, and what is left of their quotas."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels import Services
from channels.bigcommerce import BigCommerceChannel, BigCommerceSettings
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.errors import ChannelError
from channels.services import Quota
from sync.budget import Left, StoreBudget, left_of
from sync.telemetry.counters import Counters
from tests.conftest import TimedStore, counters


@pytest.fixture
def sandbox() -> Iterator[tuple[BigCommerceSandbox, str]]:
    sandbox = BigCommerceSandbox(Store())
    with sandbox.serve() as url:
        yield sandbox, url


def connect(store: TimedStore, counted: Counters, table: dict[str, object]) -> tuple[BigCommerceChannel, StoreBudget]:
    settings = BigCommerceSettings.model_validate(table)
    budget = StoreBudget.of(store, "store", settings, counted)
    return BigCommerceChannel("store", settings, Services(budget=budget)), budget


def test_each_call_is_counted_by_channel_operation_and_status(
    store: TimedStore, sandbox: tuple[BigCommerceSandbox, str]
) -> None:
    counted, (shop, url) = counters(store), sandbox
    table = shop.settings(url)
    list(connect(store, counted, table)[0].read_all())
    for broken in ({"access_token": "wrong"}, {"api_url": "http://127.0.0.1:1"}):
        with pytest.raises(ChannelError):
            list(connect(store, counted, {**table, **broken})[0].read_all())
    counted.flush()
    found = counted.read("calls")
    assert {status for _, _, status in found} == {"200", "401", "none"}
    assert {channel for channel, _, _ in found} == {"store"}
    assert sum(found.values()) == len(shop.requests) + 1


def test_what_is_left_of_a_quota_is_what_answers_told_less_what_is_under_way(
    store: TimedStore, sandbox: tuple[BigCommerceSandbox, str]
) -> None:
    shop, url = sandbox
    channel, budget = connect(store, counters(store), shop.settings(url))
    assert budget.left() == {}
    list(channel.read_all())
    quota = shop.store.quota
    assert quota is not None
    left = budget.left()["all"]
    assert 0 < left.limit - left.calls == len(shop.requests)
    budget.enter("read products")
    assert budget.left()["all"].calls == left.calls - 1


def test_a_window_that_is_over_is_fresh_again() -> None:
    fields = {"kind": "window", "limit": "150", "used": "140", "blind": "2", "ends": "5000"}
    assert left_of(fields, 3, 4999) == Left(5, 150, 0.001)
    assert left_of(fields, 3, 5000) == Left(147, 150)


def test_a_bucket_fills_while_time_goes_by() -> None:
    fields = {"kind": "bucket", "rate": "5", "burst": "10", "tokens": "2", "at": "1000"}
    assert left_of(fields, 0, 1400) == Left(4, 10)
    assert left_of(fields, 1, 99_000) == Left(9, 10)


def test_nothing_is_left_while_nobody_may_call() -> None:
    fields = {"kind": "bucket", "rate": "5", "burst": "10", "tokens": "2", "at": "1000", "pause": "2000"}
    assert left_of(fields, 0, 1999) == Left(0, 10)


@pytest.mark.parametrize("fields", [{}, {"kind": "unknown"}, {"kind": "free", "pause": "0"}])
def test_of_what_nobody_knows_nothing_is_said(fields: dict[str, str]) -> None:
    assert left_of(fields, 0, 0) is None


def test_quotas_of_single_operations_are_told_apart(store: TimedStore) -> None:
    budget = StoreBudget(store, "market", "market", plans={"patch": Quota(rate=0.5, burst=10)})
    budget.enter("patch")
    assert list(budget.left()) == ["patch"]
