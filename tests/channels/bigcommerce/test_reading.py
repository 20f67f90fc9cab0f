"""Reading levels: what counts, what is a problem, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.bigcommerce import BigCommerceChannel, catalog, products
from channels.bigcommerce.models import Item, Product, Ref, rows_of_items, rows_of_products
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.contract import MAX_UNITS, Level
from channels.errors import Incomprehensible
from channels.sandbox import Fault

Connect = Callable[..., BigCommerceChannel]


def everything(channel: BigCommerceChannel) -> dict[str, Level]:
    return {level.sku: level for page in channel.read_all() for level in page.levels}


def test_tracking_decides_what_a_listing_is(store: Store, channel: BigCommerceChannel) -> None:
    store.add("UNTRACKED", 5, tracking="none")
    mug = store.add("MUG", 7)
    shirt = store.add_product("Shirt", sku="SHIRT", tracking="variant", variants={"SHIRT-S": 1, "SHIRT-M": 0})
    whole = store.add_product("Boxed set", sku="BOX", level=3, tracking="product", variants={"BOX-1": 9, "BOX-2": 9})
    small, medium = shirt.variants
    assert everything(channel) == {
        "MUG": ("MUG", f"p{mug.id}", 7),
        "SHIRT-S": ("SHIRT-S", f"v{shirt.id}/{small.id}", 1),
        "SHIRT-M": ("SHIRT-M", f"v{shirt.id}/{medium.id}", 0),
        "BOX": ("BOX", f"p{whole.id}", 3),
    }


def test_a_simple_product_may_count_by_its_base_variant(store: Store, channel: BigCommerceChannel) -> None:
    product = store.add("ALONE", 4, tracking="variant")
    assert everything(channel)["ALONE"] == ("ALONE", f"v{product.id}/{product.variants[0].id}", 4)


@pytest.mark.parametrize(
    ("product", "words"),
    [
        ({"id": 1, "inventory_tracking": "product", "sku": "", "inventory_level": 3}, "no SKU"),
        ({"id": 1, "inventory_tracking": "product", "sku": None, "inventory_level": 3}, "no SKU"),
        ({"id": 1, "inventory_tracking": "product", "sku": "A", "inventory_level": None}, "shows the level None"),
        ({"id": 1, "inventory_tracking": "product", "sku": "A"}, "shows the level None"),
        ({"id": 1, "inventory_tracking": "product", "sku": "A", "inventory_level": -1}, "shows the level -1"),
        ({"id": 1, "inventory_tracking": "product", "sku": "A", "inventory_level": MAX_UNITS + 1}, "shows the level"),
        ({"id": 1, "inventory_tracking": "product", "sku": "A", "inventory_level": "5"}, "shows the level '5'"),
        ({"id": 1, "inventory_tracking": "product", "sku": "A", "inventory_level": True}, "shows the level True"),
        ({"id": 1, "sku": "A", "inventory_level": 5}, "does not say how its stock is tracked"),
        ({"id": 1, "sku": "A", "inventory_tracking": "sometimes"}, "does not say how its stock is tracked"),
        ({"id": 1, "inventory_tracking": "variant"}, "without the variants"),
        ({"id": 1, "inventory_tracking": "variant", "variants": [{"id": 2, "sku": ""}]}, "variant 2 of product 1"),
    ],
)
def test_a_row_that_says_nothing_about_stock_is_a_problem_and_never_zero(product: object, words: str) -> None:
    rows = rows_of_products([Product.model_validate(product)])
    assert rows.levels == []
    (problem,) = rows.problems
    assert words in problem.reason


SKUS = st.sampled_from([None, "", " ", "A", " A ", "007", 7])
UNITS = st.sampled_from([None, "", "5", True, 1.5, float("nan"), -1, 0, 3, MAX_UNITS, MAX_UNITS + 1])
VARIANTS = st.lists(st.fixed_dictionaries({"id": st.integers(1, 9), "sku": SKUS, "inventory_level": UNITS}), max_size=3)
PRODUCTS = st.fixed_dictionaries(
    {"id": st.integers(1, 50)},
    optional={
        "sku": SKUS,
        "inventory_level": UNITS,
        "inventory_tracking": st.sampled_from(["none", "product", "variant", "simple", None]),
        "variants": st.none() | VARIANTS,
    },
)


@given(st.lists(PRODUCTS, max_size=4))
def test_whatever_the_store_says_levels_are_levels(products: list[object]) -> None:
    for level in rows_of_products([Product.model_validate(product) for product in products]).levels:
        assert level.sku == level.sku.strip() != ""
        assert 0 <= level.units <= MAX_UNITS
        assert Ref.parse(level.ref) is not None


@given(st.builds(Ref, st.integers(1, 2**63 - 1), st.none() | st.integers(1, 2**63 - 1)))
def test_a_ref_is_read_as_it_was_written(ref: Ref) -> None:
    assert Ref.parse(str(ref)) == ref
    assert len(str(ref)) <= 64


@pytest.mark.parametrize("text", ["", "p", "p-1", "v1", "v1/", "1", "p1/2", "p1 ", "x1", "p١"])
def test_what_is_no_ref_is_not_taken_for_one(text: str) -> None:
    assert Ref.parse(text) is None


@pytest.mark.parametrize(("products", "calls"), [(0, 1), (1, 1), (250, 1), (251, 2), (500, 2), (1001, 5)])
def test_a_full_pull_by_catalogue_costs_one_call_for_250_products(
    store: Store, sandbox: BigCommerceSandbox, channel: BigCommerceChannel, products: int, calls: int
) -> None:
    for number in range(products):
        store.add(f"SKU-{number}", number)
    assert len(everything(channel)) == products
    assert len(sandbox.requests) == calls


@pytest.mark.parametrize(("products", "calls"), [(0, 1), (1000, 1), (1001, 2), (2500, 3)])
@pytest.mark.parametrize("write", ["inventory", "relative"])
def test_a_full_pull_by_the_inventory_api_costs_one_call_for_1000_listings(
    store: Store, sandbox: BigCommerceSandbox, connect: Connect, products: int, calls: int, write: str
) -> None:
    for number in range(products):
        store.add(f"SKU-{number}", number)
    assert len(everything(connect(write=write))) == products
    assert len(sandbox.requests) == calls


def test_variants_come_with_their_products_and_cost_no_call(
    store: Store, sandbox: BigCommerceSandbox, channel: BigCommerceChannel
) -> None:
    for number in range(10):
        names = {f"SHIRT-{number}-{size}": size for size in range(100)}
        store.add_product(f"Shirt {number}", tracking="variant", variants=names)
    assert len(everything(channel)) == 1000
    assert len(sandbox.requests) == 1


def test_a_product_deleted_between_two_pages_makes_no_other_be_skipped(
    store: Store, channel: BigCommerceChannel
) -> None:
    for number in range(300):
        store.add(f"SKU-{number}", 1)
    pages = channel.read_all()
    seen = {level.sku for level in next(pages).levels}
    store.remove("SKU-0")
    store.remove("SKU-7")
    seen |= {level.sku for page in pages for level in page.levels}
    assert seen == {f"SKU-{number}" for number in range(300)}


def test_some_listings_are_read_by_one_call(
    store: Store, sandbox: BigCommerceSandbox, channel: BigCommerceChannel
) -> None:
    for number in range(125):
        store.add(f"SKU-{number}", 1)
        store.add_product(f"Shirt {number}", tracking="variant", variants={f"S-{number}": 2, f"M-{number}": 3})
    refs = [level.ref for sku, level in everything(channel).items() if not sku.startswith("M-")]
    sandbox.requests.clear()
    assert len(refs) == channel.capabilities.read_batch
    assert {level.ref for level in channel.read(refs).levels} == set(refs)
    assert len(sandbox.requests) == 1


def test_only_the_listings_asked_for_are_given(store: Store, channel: BigCommerceChannel) -> None:
    store.add_product("Shirt", tracking="variant", variants={"S": 1, "M": 2})
    ref = everything(channel)["M"].ref
    assert [level.sku for level in channel.read([ref, "p999", "nonsense"]).levels] == ["M"]


@pytest.mark.parametrize("write", ["catalog", "inventory", "relative"])
def test_who_asks_for_a_product_gets_each_of_its_listings(store: Store, connect: Connect, write: str) -> None:
    shirt = store.add_product("Shirt", tracking="variant", variants={f"S-{number}": number for number in range(1200)})
    store.add("MUG", 3)
    page = connect(write=write).read([f"p{shirt.id}"])
    assert {level.sku: level.units for level in page.levels} == {f"S-{number}": number for number in range(1200)}


def test_nothing_asked_for_costs_no_call(sandbox: BigCommerceSandbox, channel: BigCommerceChannel) -> None:
    assert channel.read([]).levels == []
    assert channel.read(["nonsense"]).levels == []
    assert sandbox.requests == []


def test_the_inventory_api_shows_what_can_be_sold_at_the_location(store: Store, connect: Connect) -> None:
    store.add("MUG", 30)
    store.set_safety_stock("MUG", 10)
    branch = store.add_location("Branch")
    store.set_level("MUG", 4, branch)
    assert everything(connect(write="inventory"))["MUG"].units == 20
    assert everything(connect(write="inventory", location_id=branch))["MUG"].units == 4


def test_an_inventory_item_without_the_location_is_left_out() -> None:
    item = {"identity": {"product_id": 1, "variant_id": 2, "sku_id": None, "sku": "A"}, "locations": []}
    assert rows_of_items([Item.model_validate(item)], 1) == ([], [])


@pytest.mark.parametrize("write", ["catalog", "inventory"])
def test_pages_shorter_than_the_limit_that_was_asked_for_leave_nothing_out(
    store: Store, connect: Connect, write: str
) -> None:
    for number in range(75):
        store.add(f"SKU-{number}", 1)
    channel = connect(write=write)
    levels = everything(channel)
    store.switches.page_rows = 20
    assert everything(channel) == levels


def test_some_listings_are_read_whole_however_short_the_pages_are(store: Store, connect: Connect) -> None:
    refs = [f"p{store.add(f'SKU-{number}', 1).id}" for number in range(45)]
    store.switches.page_rows = 20
    assert [level.ref for level in connect(write="inventory").read(refs).levels] == refs


@pytest.mark.parametrize("write", ["catalog", "inventory"])
def test_an_answer_without_content_is_no_page(sandbox: BigCommerceSandbox, connect: Connect, write: str) -> None:
    sandbox.faults.add(Fault("answer", status=204))
    with pytest.raises(Incomprehensible):
        list(connect(write=write).read_all())


def test_an_item_of_which_nothing_was_ever_set_is_read() -> None:
    identity = {"product_id": 1, "variant_id": 2, "sku_id": 0, "sku": "A"}
    place = {"location_id": 1, "available_to_sell": 3, "total_inventory_onhand": 3}
    for settings in (None, {}, {"safety_stock": None}):
        item = Item.model_validate({"identity": identity, "locations": [place | {"settings": settings}]})
        assert rows_of_items([item], 1).levels == [Level("A", "p1", 3)]
        assert item.locations[0].safety_stock == 0


@pytest.mark.parametrize("write", ["catalog", "inventory"])
def test_an_empty_page_that_claims_rows_is_not_believed(
    sandbox: BigCommerceSandbox, connect: Connect, write: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.add("MUG", 1)
    channel = connect(write=write)
    empty = {"data": [], "meta": {"pagination": {"total": 1}}}
    monkeypatch.setattr(channel.client, "json", lambda operation, response: empty)
    with pytest.raises(Incomprehensible, match="none was given"):
        list(channel.read_all())


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"data": 1}', '{"data": [{"id": "x"}], "meta": {"pagination": {"total": 1}}}']
)
def test_an_answer_of_another_shape_is_named_and_not_used(
    connect: Connect, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connect()
    monkeypatch.setattr(channel.client, "json", lambda operation, response: json.loads(body))
    with pytest.raises(Incomprehensible, match=r"store: read products failed .*documented shape"):
        list(channel.read_all())


def test_the_rest_of_a_catalogue_is_parted_by_its_ids(
    store: Store, channel: BigCommerceChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "PAGE", 2)
    monkeypatch.setattr(products, "PAGE", 2)
    monkeypatch.setattr(catalog, "PART_PAGES", 3)
    for number in range(40):
        store.add(f"SKU-{number}", number)
    first = next(channel.read_all())
    assert first.cursor
    parts = channel.split(first.cursor, 4)
    assert len(parts) == 4
    store.add("NEW", 1)
    found = [level for part in parts for page in channel.read_all(part) for level in page.levels]
    assert sorted(level.sku for level in [*first.levels, *found]) == sorted(["NEW", *(f"SKU-{n}" for n in range(40))])


def test_what_is_left_of_a_small_catalogue_is_not_parted(store: Store, channel: BigCommerceChannel) -> None:
    for number in range(300):
        store.add(f"SKU-{number}", number)
    cursor = next(channel.read_all()).cursor
    assert cursor
    assert channel.split(cursor, 4) == [cursor]
