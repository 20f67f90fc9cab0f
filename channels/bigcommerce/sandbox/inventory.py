"""The sandbox's Inventory API: items, locations, and adjustments that take effect after a delay."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response

from channels.bigcommerce.sandbox.answers import Refused, body_of, ids_in, only, page_of, problem
from channels.bigcommerce.sandbox.store import Store
from channels.bigcommerce.sandbox.world import Product, Stocked, Variant, stocked
from channels.contract import MAX_UNITS

MOST_ROWS = 1000
MOST_ITEMS = 2000
PROBLEM = "application/problem+json"


def inventory(store: Store) -> Blueprint:
    """The routes below ``/v3/inventory``."""
    routes = Blueprint("inventory", __name__)

    @routes.get("/items")
    def list_items() -> Response:
        only(request, "sku:in", "variant_id:in", "product_id:in", "location_id:in", "limit", "page")
        rows, meta = page_of(request, _items(store), most=MOST_ROWS, at_most=store.switches.page_rows)
        wanted = ids_in(request, "location_id:in")
        places = [place for place in store.locations if wanted is None or place in wanted]
        data = [
            {
                "identity": _identity(store, item),
                "locations": [
                    {
                        "location_id": place,
                        "location_code": f"LOCATION-{place}",
                        "location_name": store.locations[place],
                        "location_enabled": _enabled(store, place),
                        **_shown(store, item, place),
                    }
                    for place in places
                ],
            }
            for item in rows
        ]
        return jsonify({"data": data, "meta": meta})

    @routes.get("/locations/<int:place>/items")
    def list_items_of(place: int) -> Response:
        only(request, "sku:in", "variant_id:in", "product_id:in", "limit", "page")
        _place(store, place)
        rows, meta = page_of(request, _items(store), most=MOST_ROWS)
        data = [{"identity": _identity(store, item), **_shown(store, item, place)} for item in rows]
        return jsonify({"data": data, "meta": meta})

    @routes.get("/locations")
    def list_locations() -> Response:
        only(request, "limit", "page")
        places = [
            {
                "id": place,
                "code": f"LOCATION-{place}",
                "label": label,
                "type_id": "PHYSICAL",
                "enabled": _enabled(store, place),
            }
            for place, label in store.locations.items()
        ]
        rows, meta = page_of(request, places, most=MOST_ROWS)
        return jsonify({"data": rows, "meta": meta})

    @routes.put("/adjustments/absolute")
    def absolute() -> Response:
        changes = _wanted(store)
        if any(quantity < 0 for _, _, quantity in changes):
            raise Refused(problem(422, "Payload contains invalid fields", {"quantity": "negative"}, mimetype=PROBLEM))
        return _carry_out(store, changes)

    @routes.post("/adjustments/relative")
    def relative() -> Response:
        changes = _wanted(store)
        unset = [_named(item) for item, place, _ in changes if item.at(place).on_hand is None]
        if unset:
            title = f"Items with identity: [{', '.join(unset)}] requires absolute adjustment before relative"
            raise Refused(problem(422, title, mimetype=PROBLEM))
        for item, place, quantity in changes:
            stock = item.at(place)
            if quantity < 0 and (stock.on_hand or 0) + quantity < stock.safety:
                title = f"Insufficient stock for items: [{_named(item)}]"
                raise Refused(problem(422, title, mimetype=PROBLEM))
        return _carry_out(store, changes, relative=True)

    return routes


def _carry_out(store: Store, changes: list[tuple[Stocked, int, int]], *, relative: bool = False) -> Response:
    def apply() -> None:
        for item, place, quantity in changes:
            if store.has(item):
                before = item.at(place).on_hand or 0
                store.change(item, place, before + quantity if relative else quantity, by="inventory")

    store.later(apply)
    return jsonify({"transaction_id": str(uuid.uuid4())})


def _wanted(store: Store) -> list[tuple[Stocked, int, int]]:
    """What an adjustment is about: items, locations, quantities."""
    body = body_of(request)
    rows = body.get("items") if isinstance(body, dict) else None
    if not isinstance(rows, list) or not rows:
        raise Refused(problem(422, "Payload contains invalid fields", {"items": "missing"}, mimetype=PROBLEM))
    if len(rows) > MOST_ITEMS:
        title = f"The request payload is too large. The maximum items allowed in the array is {MOST_ITEMS}."
        raise Refused(problem(413, title, mimetype=PROBLEM))
    places = {row.get("location_id") for row in rows} - set(store.locations)
    if places:
        title = f"Location not found, identities: {sorted(places, key=str)}"
        raise Refused(problem(422, title, mimetype=PROBLEM))
    by_id = {
        (kind, number): item for _, item in stocked(store.products.values()) for kind, number in _ids(item).items()
    }
    return [(_found(store, by_id, row), row["location_id"], _quantity(row)) for row in rows]


def _found(store: Store, by_id: dict[tuple[str, Any], Stocked], row: dict[str, Any]) -> Stocked:
    names = [name for name in ("sku", "variant_id", "product_id") if name in row]
    if len(names) != 1:
        errors = {"items": "exactly one of sku, variant_id and product_id is needed"}
        raise Refused(problem(422, "Payload contains invalid fields", errors, mimetype=PROBLEM))
    (name,) = names
    value = row[name].casefold() if name == "sku" else row[name]
    item = by_id.get((name, value))
    if item is None:
        raise Refused(problem(422, _why_not_found(store, name, value), mimetype=PROBLEM))
    return item


def _why_not_found(store: Store, name: str, value: Any) -> str:
    """Whether an item is not there at all, or only tracked the other way."""
    for product in store.products.values():
        if name == "variant_id" and any(variant.id == value for variant in product.variants):
            return f"[Item with variant_id {value} is tracked by product, please update stock by product id]"
        if name == "product_id" and product.id == value and product.tracking == "variant":
            return f"[Item with product_id {value} is tracked by variant, please update stock by variant id]"
    return f"Items not found: [{name} {value}]"


def _quantity(row: dict[str, Any]) -> int:
    quantity = row.get("quantity")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or abs(quantity) > MAX_UNITS:
        errors = {"quantity": "a whole number is needed"}
        raise Refused(problem(422, "Payload contains invalid fields", errors, mimetype=PROBLEM))
    return quantity


def _ids(item: Stocked) -> dict[str, Any]:
    """By what an item can be named."""
    if isinstance(item, Variant):
        return {"variant_id": item.id, "sku": item.sku.casefold()}
    return {"product_id": item.id, "sku": item.sku.casefold()}


def _named(item: Stocked) -> str:
    return f"{'product_id' if isinstance(item, Product) else 'variant_id'} {item.id}"


def _items(store: Store) -> list[Stocked]:
    """The inventory items that the query asks for."""
    products, variants = ids_in(request, "product_id:in"), ids_in(request, "variant_id:in")
    skus = request.args.get("sku:in")
    wanted = {sku.casefold() for sku in skus.split(",")} if skus else None
    return [
        item
        for product, item in stocked(store.products.values())
        if (product.tracking != "none" or store.switches.list_untracked)
        and (products is None or product.id in products)
        and (variants is None or _identity(store, item)["variant_id"] in variants)
        and (wanted is None or item.sku.casefold() in wanted)
    ]


def _identity(store: Store, item: Stocked) -> dict[str, Any]:
    product = store.product_of(item)
    variant = item if isinstance(item, Variant) else product.variants[0]
    sku_id = variant.sku_id if isinstance(item, Variant) else None
    return {"sku": item.sku, "variant_id": variant.id, "product_id": product.id, "sku_id": sku_id}


def _shown(store: Store, item: Stocked, place: int) -> dict[str, Any]:
    available, on_hand = store.shown(item, place)
    stock = item.at(place)
    settings = {"safety_stock": stock.safety, "is_in_stock": available > 0, "warning_level": stock.warning}
    return {"available_to_sell": available, "total_inventory_onhand": on_hand, "settings": settings}


def _enabled(store: Store, place: int) -> bool:
    return place not in store.disabled_locations


def _place(store: Store, place: int) -> None:
    if place not in store.locations:
        raise Refused(problem(404, f"Location not found, identities: [{place}]", mimetype=PROBLEM))
