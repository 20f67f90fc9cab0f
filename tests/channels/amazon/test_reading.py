"""Reading levels: by pages of a search, by twenty SKUs, and what is not a level."""

from __future__ import annotations

import pytest

from channels.amazon.sandbox.account import FBA
from channels.contract import Level
from channels.errors import Incomprehensible, Unanswered
from channels.sandbox import Fault

READ = "/listings/2021-08-01/items/A1SANDBOXSELLR"


def test_a_full_reading_costs_one_call_for_twenty_listings(sandbox, channel):
    for number in range(100):
        sandbox.account.put(f"SKU-{number:03}", number)
    pages = list(channel.read_all())
    assert [len(page.levels) for page in pages] == [20] * 5
    assert [call.operation for call in sandbox.calls] == ["search listings"] * 5


def test_a_write_in_the_middle_of_a_reading_hides_no_listing(sandbox, channel, clock):
    for number in range(60):
        clock.advance(1)
        sandbox.account.put(f"SKU-{number:03}", number)
    seen = set()
    for page in channel.read_all():
        seen |= {row.sku for row in page.levels}
        clock.advance(1)
        sandbox.account.count(f"SKU-{len(seen) - 1:03}", 7)
    assert len(seen) == 60


def test_twenty_listings_are_looked_at_in_one_call(sandbox, channel):
    names = [f"SKU {number}/ä%&" for number in range(20)]
    for name in names:
        sandbox.account.put(name, 3)
    page = channel.read(names)
    assert sorted(page.levels) == sorted(Level(name, name, 3) for name in names)
    assert len(sandbox.calls) == 1


def test_a_sku_with_a_comma_is_looked_at_by_itself(sandbox, channel):
    for name in ("A", "B", "A,B"):
        sandbox.account.put(name, len(name))
    page = channel.read(["A,B", "B", "gone,too"])
    assert sorted(page.levels) == [Level("A,B", "A,B", 3), Level("B", "B", 1)]
    assert sorted(call.operation for call in sandbox.calls) == ["get listing", "get listing", "search listings"]


def test_stock_that_amazon_holds_is_left_out_of_the_pool(sandbox, channel):
    sandbox.account.put("MINE", 4)
    sandbox.account.put("THEIRS", 9, network=FBA)
    (page,) = channel.read_all()
    assert [row.sku for row in page.levels] == ["MINE"]
    assert page.problems == []


def test_a_listing_that_amazon_came_to_fulfil_is_left_out_with_a_word_about_it(sandbox, channel):
    sandbox.account.put("A", 9, network=FBA)
    page = channel.read(["A"])
    assert page.levels == []
    assert [problem.where for problem in page.problems] == ["A"]


def test_a_quantity_that_is_not_stated_is_a_problem_and_not_zero(sandbox, channel):
    sandbox.account.put("A", None)
    sandbox.account.put("B", 0)
    (page,) = channel.read_all()
    assert page.levels == [Level("B", "B", 0)]
    assert [problem.where for problem in page.problems] == ["A"]


def test_a_bad_row_stops_only_itself(sandbox, channel):
    sandbox.account.put("A", -3)
    sandbox.account.put("B", 2)
    (page,) = channel.read_all()
    assert page.levels == [Level("B", "B", 2)]
    assert [problem.where for problem in page.problems] == ["A"]


def test_a_search_that_finds_none_may_say_so_by_a_404(sandbox, channel):
    sandbox.faults.add(Fault("answer", match="identifiers", status=404))
    assert channel.read(["A", "B"]).levels == []


def test_an_answer_of_html_is_not_a_reading(sandbox, channel):
    sandbox.account.put("A", 1)
    sandbox.faults.add(Fault("garbage", match=READ, times=1))
    with pytest.raises(Incomprehensible, match="Invalid JSON"):
        list(channel.read_all())
    sandbox.faults.add(Fault("answer", match=READ, status=503, times=1))
    with pytest.raises(Unanswered, match="503 Service Temporarily Unavailable"):
        list(channel.read_all())


def test_requests_carry_what_amazon_asks_for_and_ask_for_no_more_than_stock(sandbox, channel):
    sandbox.account.put("A", 1)
    list(channel.read_all())
    (call,) = sandbox.calls
    assert call.headers["user-agent"].startswith("inventory-sync/")
    assert "Language=Python/" in call.headers["user-agent"]
    assert len(call.headers["x-amz-date"]) == len("20260101T000000Z")
    assert "includedData=fulfillmentAvailability&" in call.path
