"""The sandbox's catalogue: products and variants, read with filters and written singly or in batches."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response

from channels.bigcommerce.sandbox.answers import (
    TYPE,
    Refused,
    body_of,
    envelope,
    ids_in,
    number_in,
    only,
    page_of,
    problem,
)
from channels.bigcommerce.sandbox.store import Store
from channels.bigcommerce.sandbox.world import DEFAULT_LOCATION, Product, Stocked, Variant
from channels.contract import MAX_UNITS

PRODUCTS_PER_PUT = 10
VARIANTS_PER_PUT = 50
MOST_ROWS = 250

#: By what products can be sorted.
SORTS = {
    "id": attrgetter("id"),
    "name": attrgetter("name"),
    "sku": attrgetter("sku"),
    "date_modified": attrgetter("modified_at"),
}


def catalog(store: Store) -> Blueprint:
    """The routes below ``/v3/catalog``."""
    routes = Blueprint("catalog", __name__)

    @routes.get("/products")
    def list_products() -> Response:
        only(
            request, "id", "id:in", "id:greater", "id:min", "id:less", "sku", "sku:in", "date_modified:min",
            "include", "include_fields", "limit", "page", "sort", "direction",
        )  # fmt: skip
        found = _filtered(store)
        rows, meta = page_of(request, found, most=MOST_ROWS, at_most=store.switches.page_rows)
        return jsonify({"data": [_product(store, product) for product in rows], "meta": meta})

    @routes.get("/products/<int:product_id>")
    def get_product(product_id: int) -> Response:
        only(request, "include", "include_fields")
        return jsonify(envelope(_product(store, _known(store, product_id))))

    @routes.put("/products/<int:product_id>")
    def put_product(product_id: int) -> Response:
        product = _known(store, product_id)
        return _saved(store, [(product, body_of(request))], single=True)

    @routes.put("/products")
    def put_products() -> Response:
        rows = _batch(PRODUCTS_PER_PUT)
        pairs = []
        for row in rows:
            product = store.products.get(row.get("id", 0))
            if product is None:
                raise Refused(problem(404, f"A product was not found with an id of {row.get('id')}"))
            pairs.append((product, row))
        return _saved(store, pairs)

    @routes.get("/variants")
    def list_variants() -> Response:
        only(request, "id", "sku", "product_id:in", "include_fields", "limit", "page")
        wanted, products = request.args.get("sku"), ids_in(request, "product_id:in")
        found = [
            variant
            for product in store.products.values()
            for variant in product.variants
            if (products is None or product.id in products)
            and (wanted is None or variant.sku.casefold() == wanted.casefold())
            and ("id" not in request.args or variant.id == number_in(request, "id", 0))
        ]
        rows, meta = page_of(request, found, most=MOST_ROWS)
        return jsonify({"data": [_variant(store, variant) for variant in rows], "meta": meta})

    @routes.put("/products/<int:product_id>/variants/<int:variant_id>")
    def put_variant(product_id: int, variant_id: int) -> Response:
        product = _known(store, product_id)
        for variant in product.variants:
            if variant.id == variant_id:
                return _saved(store, [(variant, body_of(request))], single=True)
        raise Refused(problem(404, f"A variant was not found with an id of {variant_id}"))

    @routes.put("/variants")
    def put_variants() -> Response:
        rows = _batch(VARIANTS_PER_PUT)
        unknown = [row.get("id") for row in rows if row.get("id") not in store.variants]
        if unknown:
            errors = [
                {
                    "status": 422,
                    "title": f"A variant was not found with an id of {variant_id}",
                    "type": TYPE,
                    "instance": "/v3/catalog/variants",
                    "errors": {"id": f"variant {variant_id} does not exist"},
                }
                for variant_id in unknown
            ]
            answer = jsonify({"batch_errors": errors})
            answer.status_code = 422
            return answer
        return _saved(store, [(store.variants[row["id"]], row) for row in rows])

    return routes


def _known(store: Store, product_id: int) -> Product:
    if product_id not in store.products:
        raise Refused(problem(404, f"A product was not found with an id of {product_id}"))
    return store.products[product_id]


def _filtered(store: Store) -> list[Product]:
    """The products that the query asks for, in the order that it asks for."""
    args = request.args
    found = _by_id(store)
    if "sku" in args or "sku:in" in args:
        wanted = {sku.strip().casefold() for sku in args.get("sku:in", args.get("sku", "")).split(",")}
        found = [product for product in found if product.sku.casefold() in wanted]
    if "date_modified:min" in args:
        since = _moment(store, args["date_modified:min"])
        found = [product for product in found if int(product.modified_at) >= since]  # dates are of whole seconds
    sort = args.get("sort", "id")
    if sort not in SORTS:
        raise Refused(problem(422, f"The sandbox does not sort by {sort}"))
    if sort != "id":
        found.sort(key=SORTS[sort])
    return found[::-1] if args.get("direction") == "desc" else found


def _moment(store: Store, text: str) -> float:
    """A date, in unix seconds; to one without a time the store adds the time of day that it is."""
    moment, now = datetime.fromisoformat(text), datetime.fromtimestamp(store.clock(), UTC)
    if len(text) <= len("2026-01-31"):
        moment = datetime.combine(moment, now.timetz())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _by_id(store: Store) -> list[Product]:
    """The products within the ids that the query names, the lowest first."""
    args = request.args
    wanted = ids_in(request, "id:in")
    if wanted is not None:
        return [store.products[number] for number in sorted(wanted) if number in store.products]
    if "id" in args:
        return [product for product in (store.products.get(int(args["id"])),) if product is not None]
    after = max(int(args.get("id:greater", 0)), int(args.get("id:min", 1)) - 1)
    found = list(store.products.values())
    by_id = attrgetter("id")
    last = bisect_left(found, int(args["id:less"]), key=by_id) if "id:less" in args else None
    return found[bisect_right(found, after, key=by_id) : last]


def _batch(most: int) -> Sequence[dict[str, Any]]:
    """The rows of a batch PUT."""
    rows = body_of(request)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refused(problem(422, "Expected an array of objects"))
    if len(rows) > most:
        title = f"The request payload is too large. The maximum items allowed in the array is {most}."
        raise Refused(problem(413, title))
    return rows


def _saved(store: Store, pairs: Sequence[tuple[Stocked, dict[str, Any]]], *, single: bool = False) -> Response:
    """Save levels, all or none, and show what was saved."""
    for _, row in pairs:
        _check(row)
    lost = ""
    for item, row in pairs:
        if "inventory_level" in row and row["inventory_level"] is not None:
            lost = _save(store, item, row["inventory_level"]) or lost
    if not single and store.switches.silent_batches:
        store.switches.silent_batches -= 1
        return jsonify(envelope([]))
    shown = [_variant(store, item) if isinstance(item, Variant) else _product(store, item) for item, _ in pairs]
    data = shown[0] if single else shown
    if not lost:
        return jsonify(envelope(data))
    errors = {"status": 207, "title": "Multi-Status", "type": TYPE, "errors": {"inventory_level": lost}}
    answer = jsonify({"data": data, "errors": errors, "meta": {}})
    answer.status_code = 207
    return answer


def _check(row: dict[str, Any]) -> None:
    level = row.get("inventory_level", 0)
    if level is not None and (not isinstance(level, int) or isinstance(level, bool)):
        errors = {"inventory_level": "error.expected.integer"}
        raise Refused(problem(422, "JSON data is missing or invalid", errors))


def _save(store: Store, item: Stocked, level: int) -> str:
    """Save one level; why its stock could not be saved, where it could not."""
    if store.switches.lose_stock:
        store.switches.lose_stock -= 1
        return "The inventory service is not available"
    if level < 0:
        return "Stock cannot be negative"
    product = store.product_of(item)
    if isinstance(item, Product) and product.tracking == "variant":
        title = "The product is tracked by variant"
        if store.switches.level_on_variant_tracked == "422":
            raise Refused(problem(422, title, {"inventory_level": title}))
        return title if store.switches.level_on_variant_tracked == "207" else ""
    if isinstance(item, Variant) and product.tracking == "product":
        if item.sku_id is not None:
            return ""  # "used when inventory_tracking is variant"
        item = product
    store.change(item, DEFAULT_LOCATION, min(level, MAX_UNITS) + item.at(DEFAULT_LOCATION).safety)
    return ""


def _level(store: Store, item: Stocked) -> int:
    places = [DEFAULT_LOCATION] if store.switches.catalog_level == "default" else list(store.locations)
    return sum(store.shown(item, place)[0] for place in places)


def _product(store: Store, item: Stocked) -> dict[str, Any]:
    product = store.product_of(item)
    by_variant = product.tracking == "variant"
    holders: list[Stocked] = list(product.variants) if by_variant else [product]
    shown: dict[str, Any] = {
        "id": product.id,
        "name": product.name,
        "sku": product.sku,
        "inventory_level": sum(_level(store, holder) for holder in holders),
        "inventory_warning_level": product.at(DEFAULT_LOCATION).warning,
        "inventory_tracking": product.tracking,
        "base_variant_id": product.base_variant_id,
        "date_modified": datetime.fromtimestamp(product.modified_at, UTC).isoformat(timespec="seconds"),
    }
    fields = request.args.get("include_fields")
    if fields:
        named = {"id", *fields.split(",")}
        shown = {name: value for name, value in shown.items() if name in named}
    if "variants" in request.args.get("include", "").split(","):
        shown["variants"] = [_variant(store, variant) for variant in product.variants]
    return shown


def _variant(store: Store, variant: Variant) -> dict[str, Any]:
    product = store.product_of(variant)
    holder = variant if product.tracking == "variant" or variant.sku_id is not None else product
    return {
        "id": variant.id,
        "product_id": variant.product_id,
        "sku": variant.sku,
        "sku_id": variant.sku_id,
        "option_values": [] if variant.sku_id is None else [{"option_display_name": "Kind", "label": variant.sku}],
        "inventory_level": _level(store, holder),
        "inventory_warning_level": variant.at(DEFAULT_LOCATION).warning,
    }
