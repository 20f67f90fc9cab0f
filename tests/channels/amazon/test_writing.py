"""Writing levels: one patch for each listing, never to stock that Amazon holds, and what is certain afterwards."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest

from channels.amazon.sandbox.account import FBA
from channels.contract import Result, Write
from channels.errors import Denied
from channels.sandbox import Fault


def patches(sandbox):
    return [line for line in sandbox.requests if line.startswith("PATCH")]


def test_a_batch_costs_one_look_and_one_patch_for_each_listing(sandbox, channel, write):
    for number in range(20):
        sandbox.account.put(f"SKU-{number}", 10)
    assert set(write(channel, {f"SKU-{number}": number for number in range(20)})) == {"accepted"}
    assert [call.operation for call in sandbox.calls] == ["search listings"] + ["patch listing"] * 20


def test_a_listing_that_amazon_fulfils_is_never_written(sandbox, channel, write):
    sandbox.account.put("A", 10)
    sandbox.account.put("B", 10)
    (page,) = channel.read_all()
    assert len(page.levels) == 2
    sandbox.account.put("B", 50, network=FBA)
    assert write(channel, {"A": 3, "B": 3}) == ["accepted", "refused"]
    assert sandbox.account.listing("B").stock == {FBA: None}
    assert len(patches(sandbox)) == 1


def test_a_listing_sold_from_both_stocks_is_never_written(sandbox, channel, write):
    sandbox.account.put("A", 10)
    sandbox.account.listing("A").stock[FBA] = None
    assert write(channel, {"A": 3}) == ["refused"]
    assert patches(sandbox) == []


def test_what_stands_beside_the_quantity_stays(sandbox, channel, write):
    sandbox.account.put("A", 10)
    element = sandbox.account.listing("A").attributes["fulfillment_availability"][0]
    element["lead_time_to_ship_max_days"] = 3
    write(channel, {"A": 4})
    assert element == {"fulfillment_channel_code": "DEFAULT", "quantity": 4, "lead_time_to_ship_max_days": 3}


@pytest.mark.parametrize("sku", ["A/B", "100%", "a%2Fb", "/x", "x/", "Ä ö", "a,b", "a+b&c=d?e#f", "ㄱㄴ"])
def test_a_sku_stands_in_the_address_percent_encoded(sandbox, channel, write, sku):
    sandbox.account.put(sku, 10)
    assert write(channel, {sku: 4}) == ["accepted"]
    assert sandbox.account.shown(sku) == 4
    assert urlsplit(sandbox.calls[-1].path).path.count("/") == 5


@pytest.mark.parametrize("sku", [".", ".."])
def test_a_sku_that_cannot_stand_in_an_address_is_refused(sandbox, channel, write, sku):
    sandbox.account.put(sku, 10)
    sandbox.account.put("A", 10)
    assert write(channel, {sku: 4, "A": 4}) == ["refused", "accepted"]


def test_invalid_with_http_200_is_refused_in_amazons_words(sandbox, channel):
    sandbox.account.put("A", 10)
    sandbox.account.refuse("A", "90220", "'Item Name' is required but missing.")
    (outcome,) = channel.write([Write("A", "A", 4, 10)])
    assert outcome.result is Result.REFUSED
    assert outcome.reason == "90220: 'Item Name' is required but missing."
    assert sandbox.account.shown("A") == 10


def test_accepted_is_not_confirmed(sandbox, channel, clock, write):
    sandbox.account.visible_after_s = 300
    sandbox.account.put("A", 10)
    assert write(channel, {"A": 4}) == ["accepted"]
    assert channel.read(["A"]).levels[0].units == 10
    clock.advance(300)
    assert channel.read(["A"]).levels[0].units == 4


def test_accepted_may_never_show(sandbox, channel, clock, write):
    sandbox.account.put("A", 10)
    sandbox.account.lose("A", times=1)
    assert write(channel, {"A": 4}) == ["accepted"]
    clock.advance(86400)
    assert channel.read(["A"]).levels[0].units == 10
    assert write(channel, {"A": 4}) == ["accepted"]
    assert channel.read(["A"]).levels[0].units == 4


def test_a_throttled_patch_puts_off_the_rest_of_the_batch_without_trying_it(sandbox, channel, write):
    for sku in "ABCD":
        sandbox.account.put(sku, 10)
    sandbox.faults.add(Fault("answer", match="PATCH .*/B", status=429))
    assert write(channel, dict.fromkeys("ABCD", 4)) == ["accepted", "deferred", "deferred", "deferred"]
    assert len(patches(sandbox)) == 2


def test_a_row_whose_answer_is_lost_does_not_stop_the_others(sandbox, channel, write):
    for sku in "ABC":
        sandbox.account.put(sku, 10)
    sandbox.faults.add(Fault("lost 500", match="PATCH .*/B"))
    assert write(channel, dict.fromkeys("ABC", 4)) == ["accepted", "unknown", "accepted"]
    assert sandbox.account.shown("B") == 4


def test_when_amazon_is_down_the_rest_is_put_off(sandbox, channel, write):
    for sku in "ABCD":
        sandbox.account.put(sku, 10)
    sandbox.faults.add(Fault("answer", match="PATCH", status=503))
    assert write(channel, dict.fromkeys("ABCD", 4)) == ["unknown", "unknown", "deferred", "deferred"]
    assert len(patches(sandbox)) == 2


def test_no_look_no_write(sandbox, channel, write):
    sandbox.account.put("A", 10)
    for trouble in ("hang up", "garbage", "answer"):
        sandbox.faults.clear()
        sandbox.faults.add(Fault(trouble, match="^GET", status=500))
        assert write(channel, {"A": 4}) == ["deferred"]
    assert patches(sandbox) == []


def test_credentials_that_end_in_the_middle_leave_the_rest_for_later(sandbox, channel, write):
    for sku in "ABC":
        sandbox.account.put(sku, 10)
    sandbox.faults.add(Fault("answer", match="PATCH .*/[BC]", status=403))
    assert write(channel, dict.fromkeys("ABC", 4)) == ["accepted", "deferred", "deferred"]


def test_credentials_that_are_wrong_from_the_first_raise(sandbox, channel, write):
    sandbox.account.put("A", 10)
    sandbox.faults.add(Fault("answer", match="PATCH", status=403))
    with pytest.raises(Denied):
        write(channel, {"A": 4})


def test_nothing_is_sent_once_the_time_of_the_write_is_over(sandbox, channel):
    sandbox.account.put("A", 10)
    (outcome,) = channel.write([Write("A", "A", 4, 10)], until=time.monotonic())
    assert outcome.result is Result.DEFERRED
    assert sandbox.requests == []


def test_the_time_of_a_write_is_looked_at_before_each_patch(sandbox, channel):
    sandbox.account.put("A", 10)
    sandbox.faults.add(Fault("slow", match="^GET", seconds=0.3))
    (outcome,) = channel.write([Write("A", "A", 4, 10)], until=time.monotonic() + 0.25)
    assert outcome.result is Result.DEFERRED
    assert patches(sandbox) == []
