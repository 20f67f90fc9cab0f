"""Writing by the Inventory API: on hand and safety stock, first levels, and differences that are never repeated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.bigcommerce import BigCommerceChannel
from channels.bigcommerce.adjustments import Batch, after_refusal
from channels.bigcommerce.client import ItemsRejected
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.contract import Result, Write
from channels.errors import Rejected
from channels.sandbox import Fault

Connect = Callable[..., BigCommerceChannel]


def writes_of(channel: BigCommerceChannel, units: int = 4) -> list[Write]:
    rows = [level for page in channel.read_all() for level in page.levels]
    return [Write(row.ref, row.sku, units, row.units) for row in rows]


def sent(sandbox: BigCommerceSandbox) -> list[str]:
    return [line.rpartition("/")[2] for line in sandbox.requests if not line.startswith("GET")]


@pytest.mark.parametrize("write", ["inventory", "relative"])
def test_two_thousand_listings_are_one_call(
    store: Store, sandbox: BigCommerceSandbox, connect: Connect, write: str
) -> None:
    for number in range(2000):
        store.add(f"SKU-{number}", 10)
    channel = connect(write=write)
    assert channel.capabilities.write_batch == 2000
    outcomes = channel.write(writes_of(channel))
    assert {outcome.result for outcome in outcomes} == {Result.ACCEPTED}
    assert len(sent(sandbox)) == 1
    assert set(store.levels().values()) == {4}


def test_an_adjustment_is_accepted_long_before_it_shows(store: Store, connect: Connect) -> None:
    store.add("MUG", 10)
    store.switches.apply_delay_s = 5
    channel = connect(write="inventory")
    (outcome,) = channel.write(writes_of(channel))
    assert outcome.result is Result.ACCEPTED
    assert store.level("MUG") == 10
    store.settle()
    assert store.level("MUG") == 4


def test_an_absolute_adjustment_puts_the_target_on_top_of_the_safety_stock(store: Store, connect: Connect) -> None:
    store.add("MUG", 30)
    store.set_safety_stock("MUG", 10)
    channel = connect(write="inventory")
    channel.write(writes_of(channel, 25))
    assert store.level("MUG") == 25
    assert store.find("MUG").at(1).on_hand == 35


def test_the_reading_before_a_write_tells_the_safety_stock_and_spares_a_call(
    store: Store, sandbox: BigCommerceSandbox, connect: Connect
) -> None:
    store.add("MUG", 30)
    store.set_safety_stock("MUG", 10)
    channel = connect(write="inventory")
    writes = writes_of(channel, 25)
    channel.read([write.ref for write in writes])
    sandbox.requests.clear()
    channel.write(writes)
    assert [line.split()[0] for line in sandbox.requests] == ["PUT"]
    assert store.level("MUG") == 25


def test_a_safety_stock_is_learnt_anew_for_each_write(store: Store, connect: Connect) -> None:
    store.add("MUG", 30)
    channel = connect(write="inventory")
    writes = writes_of(channel, 25)
    channel.read([write.ref for write in writes])
    channel.write(writes)
    store.set_safety_stock("MUG", 10)
    channel.write(writes)
    assert store.level("MUG") == 25


def test_nothing_is_written_while_the_safety_stock_cannot_be_learnt(
    store: Store, sandbox: BigCommerceSandbox, connect: Connect
) -> None:
    store.add("MUG", 30)
    channel = connect(write="inventory")
    writes = writes_of(channel)
    sandbox.faults.add(Fault("answer", "GET", status=500))
    (outcome,) = channel.write(writes)
    assert outcome.result is Result.DEFERRED
    assert sent(sandbox) == []


@pytest.mark.parametrize("write", ["inventory", "relative"])
def test_rows_that_the_store_names_are_refused_and_the_others_sent_once_more(
    store: Store, sandbox: BigCommerceSandbox, connect: Connect, write: str
) -> None:
    for number in range(100):
        store.add(f"SKU-{number}", 10)
    channel = connect(write=write)
    writes = writes_of(channel)
    store.find("SKU-40").tracking = "variant"  # type: ignore[attr-defined]
    outcomes = channel.write(writes)
    assert outcomes[40].result is Result.REFUSED
    assert "is tracked by variant" in outcomes[40].reason
    assert {outcome.result for outcome in outcomes[:40] + outcomes[41:]} == {Result.ACCEPTED}
    assert len(sent(sandbox)) == 2


def test_listings_without_a_level_get_their_first_one_absolutely(
    store: Store, sandbox: BigCommerceSandbox, connect: Connect
) -> None:
    for number in range(50):
        store.add(f"SET-{number}", 10)
        store.add(f"NEW-{number}", None)
    channel = connect(write="relative")
    outcomes = channel.write(writes_of(channel))
    assert {outcome.result for outcome in outcomes} == {Result.ACCEPTED}
    assert sorted(sent(sandbox)) == ["absolute", "relative", "relative"]
    assert set(store.levels().values()) == {4}


def test_a_first_level_keeps_the_safety_stock_out_of_sale(store: Store, connect: Connect) -> None:
    store.add("NEW", None)
    store.find("NEW").at(1).safety = 3
    channel = connect(write="relative")
    product = store.find("NEW").id
    channel.write([Write(f"p{product}", "NEW", 4, 0)])
    assert store.level("NEW") == 4


def test_a_listing_that_showed_a_level_gets_no_absolute_one(
    store: Store, sandbox: BigCommerceSandbox, connect: Connect
) -> None:
    product = store.add("MUG", None)
    (outcome,) = connect(write="relative").write([Write(f"p{product.id}", "MUG", 4, 7)])
    assert outcome.result is Result.REFUSED
    assert "although it showed 7" in outcome.reason
    assert sent(sandbox) == ["relative"]


def test_a_difference_swallows_no_sale(store: Store, connect: Connect) -> None:
    store.add("MUG", 10)
    channel = connect(write="relative")
    writes = writes_of(channel, 8)
    store.sell("MUG", 3)
    channel.write(writes)
    assert store.level("MUG") == 5


def test_a_difference_of_nothing_costs_no_call(store: Store, sandbox: BigCommerceSandbox, connect: Connect) -> None:
    store.add("MUG", 4)
    channel = connect(write="relative")
    (outcome,) = channel.write(writes_of(channel, 4))
    assert outcome.result is Result.ACCEPTED
    assert sent(sandbox) == []


@pytest.mark.parametrize("kind", ["drop", "lost 500", "hang up"])
def test_a_difference_whose_answer_is_lost_is_unknown_and_sent_once(
    store: Store, sandbox: BigCommerceSandbox, connect: Connect, kind: str
) -> None:
    store.add("MUG", 10)
    channel = connect(write="relative")
    writes = writes_of(channel)
    sandbox.faults.add(Fault(kind, "POST"))  # type: ignore[arg-type]
    (outcome,) = channel.write(writes)
    assert outcome.result is Result.UNKNOWN
    assert sent(sandbox) == ["relative"]


def test_a_batch_of_differences_that_ran_short_is_unknown_and_not_repeated(
    store: Store, sandbox: BigCommerceSandbox, connect: Connect
) -> None:
    for sku in "ABC":
        store.add(sku, 10)
    channel = connect(write="relative")
    writes = writes_of(channel, 1)
    store.sell("B", 5)
    outcomes = channel.write(writes)
    assert {outcome.result for outcome in outcomes} == {Result.UNKNOWN}
    assert sent(sandbox) == ["relative"]


def test_a_single_difference_that_ran_short_is_refused(store: Store, connect: Connect) -> None:
    store.add("MUG", 10)
    channel = connect(write="relative")
    writes = writes_of(channel, 1)
    store.sell("MUG", 5)
    (outcome,) = channel.write(writes)
    assert outcome.result is Result.REFUSED
    assert store.level("MUG") == 5


def test_a_location_that_is_gone_refuses_all_rows_by_one_call(
    store: Store, sandbox: BigCommerceSandbox, connect: Connect
) -> None:
    for number in range(64):
        store.add(f"SKU-{number}", 10)
    branch = store.add_location("Branch")
    channel = connect(write="relative", location_id=branch)
    writes = [Write(write.ref, write.sku, 4, 3) for write in writes_of(channel)]
    del store.locations[branch]
    assert {outcome.result for outcome in channel.write(writes)} == {Result.REFUSED}
    assert len(sent(sandbox)) == 1


REFUSALS = [
    "Items with identity: [{named}] requires absolute adjustment before relative",
    "[Item with {named} is tracked by variant, please update stock by variant id]",
    "Insufficient stock for items: [{named}]",
    "Payload contains invalid fields",
    "Something nobody has seen before",
]


@given(
    st.lists(st.builds(Write, st.integers(1, 30).map("p{}".format), st.just("A"), st.integers(0, 9), st.integers(0, 2)),
             unique_by=lambda write: write.ref, min_size=1, max_size=12),
    st.booleans(),
    st.sampled_from(REFUSALS),
    st.sets(st.integers(1, 30)),
    st.sampled_from([400, 404, 413, 422]),
)  # fmt: skip
def test_after_a_refusal_every_row_is_either_decided_or_sent_again_in_a_smaller_or_other_batch(
    writes: Sequence[Write], relative: bool, words: str, named: set[int], status: int
) -> None:
    items = {("product_id", number) for number in named}
    text = words.format(named=", ".join(f"product_id {number}" for number in named))
    error: Rejected = Rejected("store", "adjust", text, status=status)
    if items and "{named}" in words:
        error = ItemsRejected("store", "adjust", text, items, status=status, fields={})
    verdict = after_refusal(Batch(writes, relative), error)
    decided = [outcome.ref for outcome in verdict.outcomes]
    again = [write.ref for batch in verdict.batches for write in batch.writes]
    assert sorted(decided + again) == sorted(write.ref for write in writes)
    assert all(len(batch.writes) < len(writes) or batch.relative != relative for batch in verdict.batches), (
        "or it would never end"
    )
    if not relative:
        assert all(not batch.relative for batch in verdict.batches)
    if relative and "Insufficient" in text and len(writes) > 1 and status != 413:
        assert not again
