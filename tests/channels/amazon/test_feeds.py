"""Many writes go as one feed; a listing that went with one is left alone until the feed has ended."""

from __future__ import annotations

import pytest

from channels.amazon.sandbox.account import FBA
from channels.contract import Result, Write
from channels.errors import Denied
from channels.sandbox import Fault
from channels.services import Services

#: From how many rows on the channel of these tests sends a feed.
FROM = 5


@pytest.fixture
def channel(connect):
    return connect(feed_from=FROM)


@pytest.fixture
def names(sandbox):
    """Listings with ten units each."""
    names = [f"SKU {number}" for number in range(8)]
    for name in names:
        sandbox.account.put(name, 10)
    return names


def to(names, units=4):
    return [Write(name, name, units, 10) for name in names]


def results(outcomes):
    return [outcome.result.value for outcome in outcomes]


def operations(sandbox):
    return [call.operation for call in sandbox.calls]


def test_many_rows_cost_one_look_for_twenty_and_one_feed(sandbox, channel):
    names = [f"SKU {number}" for number in range(45)]
    for name in names:
        sandbox.account.put(name, 10)
    assert set(results(channel.write(to(names)))) == {"accepted"}
    assert operations(sandbox) == ["search listings"] * 3 + ["create feed document", "create feed"]
    assert {sandbox.account.shown(name) for name in names} == {4}


def test_few_rows_go_one_by_one(sandbox, channel, names):
    channel.write(to(names[: FROM - 1]))
    assert "create feed" not in operations(sandbox)


def test_no_feed_is_sent_where_the_settings_say_never(sandbox, connect, names):
    channel = connect(feed_from=0)
    channel.write(to(names))
    assert "create feed" not in operations(sandbox)
    assert (channel.capabilities.bulk_from, channel.capabilities.bulk_batch) == (0, 0)


def test_what_amazon_fulfils_goes_with_no_feed(sandbox, channel, names):
    sandbox.account.put(names[2], 9, network=FBA)
    outcomes = channel.write(to(names))
    assert results(outcomes)[2] == "refused"
    assert [outcome.ref for outcome in outcomes] == names
    assert sandbox.account.listing(names[2]).stock == {FBA: None}


def test_what_stands_beside_the_quantity_stays(sandbox, channel, names):
    element = sandbox.account.listing(names[0]).attributes["fulfillment_availability"][0]
    element["lead_time_to_ship_max_days"] = 3
    channel.write(to(names))
    sandbox.account.listing(names[0])
    assert element == {"fulfillment_channel_code": "DEFAULT", "quantity": 4, "lead_time_to_ship_max_days": 3}


def test_a_listing_in_a_feed_is_not_patched_before_the_feed_has_ended(sandbox, connect, channel, names, clock, memory):
    sandbox.feeds.takes_s = 600
    channel.write(to(names))
    other = connect(Services(memory=memory), feed_from=FROM)
    (outcome,) = other.write(to(names[:1], 3))
    assert outcome.result is Result.DEFERRED
    assert "feed" in outcome.reason
    assert "patch listing" not in operations(sandbox)
    clock.advance(600)
    assert results(other.write(to(names[:1], 3))) == ["accepted"]
    assert sandbox.account.shown(names[0]) == 3


def test_a_listing_in_a_feed_does_not_hold_up_the_others(sandbox, channel, names):
    sandbox.account.put("other", 10)
    sandbox.feeds.takes_s = 600
    channel.write(to(names))
    assert results(channel.write(to([names[0], "other"]))) == ["deferred", "accepted"]


def test_a_feed_that_is_under_way_is_asked_about_once_in_a_while_not_for_each_listing(sandbox, channel, names, clock):
    sandbox.feeds.takes_s = 600
    channel.write(to(names))
    for _ in range(3):
        channel.write(to(names[:4], 3))
    assert operations(sandbox).count("get feed") == 1
    clock.advance(15)
    channel.write(to(names[:4], 3))
    assert operations(sandbox).count("get feed") == 2


@pytest.mark.parametrize("compressed", [False, True])
def test_a_row_that_a_feed_refused_is_refused_in_amazons_words_at_its_next_write(sandbox, channel, names, compressed):
    sandbox.feeds.compressed = compressed
    sandbox.account.refuse(names[3], "90220", "'Item Name' is required but missing.")
    assert set(results(channel.write(to(names)))) == {"accepted"}
    assert sandbox.account.shown(names[3]) == 10
    again = channel.write(to(names[2:5], 3))
    assert results(again) == ["accepted", "refused", "accepted"]
    assert again[1].reason == "90220: 'Item Name' is required but missing."
    assert operations(sandbox).count("get feed document") == 1
    sandbox.account.relent(names[3])
    assert results(channel.write(to(names[3:4], 3))) == ["accepted"]


def test_a_feed_that_ended_fatal_half_applied_is_left_to_a_reading(sandbox, channel, names):
    sandbox.feeds.fatal_after = 3
    channel.write(to(names))
    page = channel.read(names)
    assert sorted(row.units for row in page.levels) == [4] * 3 + [10] * 5
    sandbox.feeds.fatal_after = None
    assert set(results(channel.write(to(names)))) == {"accepted"}
    assert {sandbox.account.shown(name) for name in names} == {4}


def test_a_feed_stuck_past_the_patience_is_overtaken_by_patches(sandbox, channel, names, clock):
    sandbox.feeds.takes_s = 10**9
    channel.write(to(names))
    clock.advance(3599)
    assert results(channel.write(to(names[:1]))) == ["deferred"]
    clock.advance(2)
    assert results(channel.write(to(names[:1]))) == ["accepted"]
    assert sandbox.account.shown(names[0]) == 4


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("POST /feeds/2021-06-30/documents", "answer"),
        ("POST /feeds/2021-06-30/documents", "hang up"),
        ("POST /feeds/2021-06-30/documents", "garbage"),
        ("PUT /documents/", "answer"),
        ("PUT /documents/", "hang up"),
    ],
)
def test_a_feed_that_could_not_be_prepared_is_put_off(sandbox, channel, names, place, kind):
    sandbox.faults.add(Fault(kind, match=place, times=1))
    assert set(results(channel.write(to(names)))) == {"deferred"}
    assert {sandbox.account.shown(name) for name in names} == {10}
    assert set(results(channel.write(to(names)))) == {"accepted"}


def test_a_feed_whose_upload_was_swallowed_goes_as_patches(sandbox, channel, names):
    sandbox.faults.add(Fault("garbage", match="PUT /documents/"))
    assert set(results(channel.write(to(names)))) == {"accepted"}
    assert {sandbox.account.shown(name) for name in names} == {4}


def test_a_feed_whose_answer_is_lost_is_unknown_and_nothing_overtakes_it(sandbox, channel, names, clock):
    sandbox.feeds.takes_s = 600
    sandbox.faults.add(Fault("drop", match="POST /feeds/2021-06-30/feeds", times=1))
    assert set(results(channel.write(to(names)))) == {"unknown"}
    assert results(channel.write(to(names[:1], 3))) == ["deferred"]
    clock.advance(600)
    assert {sandbox.account.shown(name) for name in names} == {4}
    clock.advance(3001)
    assert results(channel.write(to(names[:1], 3))) == ["accepted"]


def test_a_throttled_feed_is_put_off_and_holds_nothing(sandbox, channel, names):
    sandbox.faults.add(Fault("answer", match="POST /feeds/2021-06-30/feeds", status=429, times=1))
    assert set(results(channel.write(to(names)))) == {"deferred"}
    assert results(channel.write(to(names[:1], 3))) == ["accepted"]


def test_a_refused_feed_is_tried_in_halves_and_at_last_as_patches(sandbox, channel, names):
    sandbox.faults.add(Fault("answer", match="POST /feeds/2021-06-30/feeds", status=400))
    assert set(results(channel.write(to(names)))) == {"accepted"}
    assert operations(sandbox).count("patch listing") == len(names)
    assert {sandbox.account.shown(name) for name in names} == {4}


def test_feeds_without_the_right_to_them_are_denied(sandbox, channel, names):
    sandbox.faults.add(Fault("answer", match="POST /feeds", status=403))
    with pytest.raises(Denied):
        channel.write(to(names))


def test_when_amazon_does_not_say_how_a_feed_stands_nothing_is_sent(sandbox, channel, names):
    channel.write(to(names))
    sandbox.faults.add(Fault("answer", match="GET /feeds", status=500))
    assert results(channel.write(to(names[:1], 3))) == ["deferred"]
    assert "patch listing" not in operations(sandbox)


def test_a_feeds_report_that_is_kept_no_longer_refuses_no_listing(sandbox, channel, names):
    channel.write(to(names))
    assert sandbox.account.shown(names[0]) == 4
    sandbox.documents.drop_all()
    assert set(results(channel.write(to(names[:3], 3)))) == {"accepted"}


def test_a_feeds_report_that_cannot_be_fetched_is_asked_for_again(sandbox, channel, names):
    channel.write(to(names))
    sandbox.faults.add(Fault("answer", match="GET /documents/", status=403, times=1))
    assert results(channel.write(to(names[:1], 3))) == ["deferred"]
    assert results(channel.write(to(names[:1], 3))) == ["accepted"]
