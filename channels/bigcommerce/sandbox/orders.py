"""The sandbox's V2 orders: bare arrays, RFC 2822 dates, no content where there are no rows; and their settings."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, TypeVar

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response

from channels.bigcommerce.sandbox.answers import Refused, envelope, number_in, only, v2_error
from channels.bigcommerce.sandbox.store import Store
from channels.bigcommerce.sandbox.world import Line, Order

T = TypeVar("T")

MOST_ROWS = 250

#: The most lines that come along with an order.
MOST_INCLUDED_LINES = 50


def orders(store: Store) -> Blueprint:
    """The routes below ``/v2/orders``."""
    routes = Blueprint("orders", __name__)

    @routes.get("")
    def list_orders() -> Response:
        only(
            request, "min_id", "max_id", "status_id", "min_date_modified", "max_date_modified", "min_date_created",
            "include", "consignment_structure", "limit", "page", "sort",
        )  # fmt: skip
        args = request.args
        found = [
            order
            for order in store.orders.values()
            if order.id >= int(args.get("min_id", 0))
            and ("max_id" not in args or order.id <= int(args["max_id"]))
            and ("status_id" not in args or order.status_id == int(args["status_id"]))
            and order.modified_at >= _moment("min_date_modified", 0.0)
            and order.modified_at <= _moment("max_date_modified", float("inf"))
            and order.created_at >= _moment("min_date_created", 0.0)
        ]
        if args.get("sort", "id:asc") not in ("id", "id:asc"):
            raise Refused(v2_error(400, "The sandbox sorts orders by id only"))
        return _bare([_shown(order) for order in _page(sorted(found, key=lambda order: order.id))])

    @routes.get("/<int:order_id>")
    def get_order(order_id: int) -> Response:
        only(request, "include", "consignment_structure")
        return jsonify(_shown(_known(store, order_id)))

    @routes.get("/<int:order_id>/products")
    def list_order_products(order_id: int) -> Response:
        only(request, "limit", "page")
        order = _known(store, order_id)
        return _bare([_line(order, line) for line in _page(order.lines)])

    return routes


def settings(store: Store) -> Blueprint:
    """The routes below ``/v3/settings``: when orders take stock and give it back."""
    routes = Blueprint("settings", __name__)

    @routes.get("/inventory")
    def get_inventory_settings() -> Response:
        only(request, "channel_id")
        names = ("update_stock_behavior", "edit_order_stock_adjustment", "refund_order_stock_adjustment")
        return jsonify(envelope({name: getattr(store.switches, name) for name in names}))

    return routes


def _known(store: Store, order_id: int) -> Order:
    if order_id not in store.orders:
        raise Refused(v2_error(404))
    return store.orders[order_id]


def _page(rows: list[T]) -> list[T]:
    limit, number = number_in(request, "limit", 50), number_in(request, "page", 1)
    if limit > MOST_ROWS:
        words = "The specified limit exceeds the maximum allowed."
        raise Refused(v2_error(413, words, max_limit=MOST_ROWS))
    return rows[(number - 1) * limit : number * limit]


def _bare(rows: list[Any]) -> Response:
    return jsonify(rows) if rows else Response(status=204)


def _moment(name: str, default: float) -> float:
    """A date of the query, RFC 2822 or ISO 8601."""
    text = request.args.get(name)
    if text is None:
        return default
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        raise Refused(v2_error(400, f"The field '{name}' is invalid.")) from None


def _shown(order: Order) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": order.id,
        "status_id": order.status_id,
        "date_created": _date(order.created_at),
        "date_modified": _date(order.modified_at),
        "date_shipped": _date(order.shipped_at),
        "items_total": sum(line.quantity for line in order.lines),
        "channel_id": 1,
        "products": {"url": f"/v2/orders/{order.id}/products", "resource": f"/orders/{order.id}/products"},
    }
    if "consignments.line_items" in request.args.get("include", "").split(","):
        lines: list[Any] = [_line(order, line) for line in order.lines[:MOST_INCLUDED_LINES]]
        shown["consignments"] = {"shipping": [{"id": order.id, "line_items": lines}], "pickups": [], "downloads": []}
        if len(order.lines) > MOST_INCLUDED_LINES:
            words = f"Only {MOST_INCLUDED_LINES} line items are given"
            shown["consignments"]["shipping"][0]["__warning__"] = words
    return shown


def _line(order: Order, line: Line) -> dict[str, Any]:
    return {
        "id": line.id,
        "order_id": order.id,
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "sku": line.sku,
        "quantity": line.quantity,
        "quantity_shipped": line.quantity if order.shipped_at else 0,
        "quantity_refunded": 0,
        "order_address_id": order.id,
    }


def _date(moment: float | None) -> str:
    return "" if moment is None else format_datetime(datetime.fromtimestamp(moment, UTC))
