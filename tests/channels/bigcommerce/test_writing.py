"""Writing by the catalogue: calls on the wire, what is certain, and how one bad row stops only itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from channels.bigcommerce import BigCommerceChannel
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.contract import MAX_UNITS, Outcome, Result, Write
from channels.errors import Denied
from channels.sandbox import Fault

Connect = Callable[..., BigCommerceChannel]


def writes_of(channel: BigCommerceChannel, units: int = 4) -> list[Write]:
    rows = [level for page in channel.read_all() for level in page.levels]
    return [Write(row.ref, row.sku, units, row.units) for row in rows]


def puts(sandbox: BigCommerceSandbox) -> list[str]:
    prefix = f"/stores/{sandbox.store.store_hash}/v3"
    return [line.replace(prefix, "") for line in sandbox.requests if not line.startswith("GET")]


def products(store: Store, count: int) -> None:
    for number in range(count):
        store.add(f"SKU-{number}", 10)


def variants(store: Store, count: int) -> None:
    store.add_product("Shirt", tracking="variant", variants={f"SHIRT-{number}": 10 for number in range(count)})


def test_fifty_variants_are_one_call(store: Store, sandbox: BigCommerceSandbox, channel: BigCommerceChannel) -> None:
    variants(store, 50)
    outcomes = channel.write(writes_of(channel))
    assert puts(sandbox) == ["PUT /catalog/variants"]
    assert {(outcome.result, outcome.level) for outcome in outcomes} == {(Result.CONFIRMED, 4)}
    assert set(store.levels().values()) == {4}


def test_ten_products_are_one_call(store: Store, sandbox: BigCommerceSandbox, channel: BigCommerceChannel) -> None:
    products(store, 25)
    outcomes = channel.write(writes_of(channel))
    assert puts(sandbox) == ["PUT /catalog/products"] * 3
    assert {(outcome.result, outcome.level) for outcome in outcomes} == {(Result.CONFIRMED, 4)}


def test_mixed_kinds_are_sorted_into_as_few_calls_as_can_be(
    store: Store, sandbox: BigCommerceSandbox, channel: BigCommerceChannel
) -> None:
    products(store, 10)
    variants(store, 40)
    writes = writes_of(channel)
    mixed = writes[::2] + writes[1::2]
    outcomes = channel.write(mixed)
    assert puts(sandbox) == ["PUT /catalog/products", "PUT /catalog/variants"]
    assert [outcome.ref for outcome in outcomes] == [write.ref for write in mixed]


def test_one_row_goes_by_the_single_put(store: Store, sandbox: BigCommerceSandbox, channel: BigCommerceChannel) -> None:
    products(store, 1)
    variants(store, 1)
    product, variant = writes_of(channel)
    channel.write([product])
    channel.write([variant])
    product_id = product.ref[1:]
    parent, _, variant_id = variant.ref[1:].partition("/")
    assert puts(sandbox) == [
        f"PUT /catalog/products/{product_id}",
        f"PUT /catalog/products/{parent}/variants/{variant_id}",
    ]


@pytest.mark.parametrize("make", [products, variants])
def test_a_poisoned_row_is_split_out_and_every_other_is_written(
    store: Store, channel: BigCommerceChannel, make: Callable[[Store, int], None]
) -> None:
    make(store, 10)
    writes = writes_of(channel)
    store.remove(writes[6].sku)
    outcomes = channel.write(writes)
    assert [outcome.result for outcome in outcomes].count(Result.CONFIRMED) == 9
    assert outcomes[6].result is Result.REFUSED
    assert "was not found with an id of" in outcomes[6].reason
    assert set(store.levels().values()) == {4}


@pytest.mark.parametrize("make", [products, variants])
@pytest.mark.parametrize("count", [1, 5])
def test_a_207_that_names_an_error_leaves_the_write_unknown(
    store: Store, channel: BigCommerceChannel, make: Callable[[Store, int], None], count: int
) -> None:
    make(store, count)
    writes = writes_of(channel)
    store.switches.lose_stock = count
    outcomes = channel.write(writes)
    assert {outcome.result for outcome in outcomes} == {Result.UNKNOWN}
    assert "inventory service" in outcomes[0].reason
    assert set(store.levels().values()) == {10}


def test_a_207_does_not_stop_the_batches_behind_it(store: Store, channel: BigCommerceChannel) -> None:
    products(store, 20)
    writes = writes_of(channel)
    store.switches.lose_stock = 1
    results = [outcome.result for outcome in channel.write(writes)]
    assert results == [Result.UNKNOWN] * 10 + [Result.CONFIRMED] * 10


def test_an_answer_without_the_row_is_accepted_and_not_confirmed(store: Store, channel: BigCommerceChannel) -> None:
    variants(store, 3)
    store.switches.silent_batches = 1
    assert {outcome.result for outcome in channel.write(writes_of(channel))} == {Result.ACCEPTED}


def test_an_answer_that_shows_another_level_proves_nothing(store: Store, channel: BigCommerceChannel) -> None:
    products(store, 1)
    store.switches.read_lag_s = 60
    (outcome,) = channel.write(writes_of(channel))
    assert outcome == (outcome.ref, Result.ACCEPTED, None, "the answer shows 10")


def test_a_product_that_counts_by_variant_meanwhile_is_refused(store: Store, channel: BigCommerceChannel) -> None:
    product = store.add("MUG", 10)
    writes = writes_of(channel)
    product.tracking = "variant"
    (outcome,) = channel.write(writes)
    assert outcome.result is Result.REFUSED
    assert "tracked by 'variant' now" in outcome.reason


@pytest.mark.parametrize(
    ("ref", "units", "words"),
    [("x1", 1, "names no product"), ("p1", -1, "-1 is not a level"), ("p1", MAX_UNITS + 1, "is not a level")],
)
def test_what_the_store_cannot_take_is_refused_without_a_call(
    sandbox: BigCommerceSandbox, channel: BigCommerceChannel, ref: str, units: int, words: str
) -> None:
    (outcome,) = channel.write([Write(ref, "A", units, 0)])
    assert outcome.result is Result.REFUSED
    assert words in outcome.reason
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("fault", "first", "rest"),
    [
        (Fault("answer", "PUT", 1, status=500), Result.UNKNOWN, Result.DEFERRED),
        (Fault("answer", "PUT", 1, status=503), Result.UNKNOWN, Result.DEFERRED),
        (Fault("answer", "PUT", 1, status=408), Result.UNKNOWN, Result.DEFERRED),
        (Fault("hang up", "PUT", 1), Result.UNKNOWN, Result.DEFERRED),
        (Fault("drop", "PUT", 1), Result.UNKNOWN, Result.DEFERRED),
        (Fault("garbage", "PUT", 1), Result.UNKNOWN, Result.DEFERRED),
        (Fault("answer", "PUT", 1, status=429), Result.DEFERRED, Result.DEFERRED),
    ],
)
def test_after_a_call_that_failed_the_others_are_put_off_unsent(
    store: Store, sandbox: BigCommerceSandbox, channel: BigCommerceChannel, fault: Fault, first: Result, rest: Result
) -> None:
    products(store, 20)
    writes = writes_of(channel)
    sandbox.faults.add(fault)
    results = [outcome.result for outcome in channel.write(writes)]
    assert results == [first] * 10 + [rest] * 10
    assert len(puts(sandbox)) == 1


def test_a_write_whose_time_is_over_sends_nothing(store: Store, sandbox: BigCommerceSandbox, connect: Connect) -> None:
    products(store, 3)
    for write in ("catalog", "inventory", "relative"):
        channel = connect(write=write)
        outcomes = channel.write(writes_of(channel), until=time.monotonic() - 1)
        assert {outcome.result for outcome in outcomes} == {Result.DEFERRED}
    assert puts(sandbox) == []


@pytest.mark.parametrize("write", ["catalog", "inventory", "relative"])
def test_a_denied_write_raises_when_nothing_was_applied(store: Store, connect: Connect, write: str) -> None:
    products(store, 3)
    channel = connect(write=write)
    writes = writes_of(channel)
    store.scopes = {"store_v2_products_read_only", "store_inventory_read_only"}
    with pytest.raises(Denied, match=r"'(Products|Store Inventory)' \(modify\)"):
        channel.write(writes)
    assert set(store.levels().values()) == {10}


def test_a_write_denied_halfway_tells_what_was_applied(
    store: Store, sandbox: BigCommerceSandbox, channel: BigCommerceChannel
) -> None:
    products(store, 10)
    variants(store, 2)
    writes = writes_of(channel)
    sandbox.faults.add(Fault("answer", "PUT .*variants", status=403))
    results = [outcome.result for outcome in channel.write(writes)]
    assert results == [Result.CONFIRMED] * 10 + [Result.DEFERRED] * 2


def test_the_safety_stock_stays_on_top_of_what_the_catalogue_writes(store: Store, channel: BigCommerceChannel) -> None:
    products(store, 1)
    store.set_safety_stock("SKU-0", 3)
    (outcome,) = channel.write(writes_of(channel))
    assert outcome == Outcome(outcome.ref, Result.CONFIRMED, 4)
    assert store.level("SKU-0") == 4
