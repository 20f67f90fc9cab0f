"""What orders took from stock: V2 orders with their lines, and the rules by which a status takes or gives back.

Lines come along with the orders (``include=consignments.line_items``): one call for 250 orders instead of one for
each. That way the store gives at most 50 lines of an order, so an order whose lines do not add up to its
``items_total`` is asked for its products by itself. Sources: reference/orders.v2.oas2.yml, reference/settings.v3.yml.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from channels.bigcommerce.client import BigCommerceClient
from channels.bigcommerce.models import PRODUCT_FIELDS, Answer, Id, Page, Payload, Product, Ref
from channels.contract import Sale
from channels.errors import Denied, Incomprehensible

logger = logging.getLogger(__name__)

#: The most orders, order lines and products on one page.
PAGE = 250

INCOMPLETE, SHIPPED, PARTIALLY_SHIPPED, REFUNDED, CANCELLED, DECLINED, COMPLETED = 0, 2, 3, 4, 5, 6, 10


def _date(text: object) -> datetime | None:
    """RFC 2822, as V2 writes dates; an empty text where nothing has happened yet."""
    if not isinstance(text, str) or not text.strip():
        return None
    date = parsedate_to_datetime(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


Date = Annotated[datetime, BeforeValidator(_date)]


class Line(Payload):
    """An order product. A line that names no product of the catalogue (a custom one) has the product id 0."""

    id: Id
    product_id: int = 0
    variant_id: int | None = None
    sku: str | None = None
    quantity: int


class Order(Payload):
    """A V2 order."""

    id: Id
    status_id: int
    items_total: int | None = None
    date_created: Date
    date_shipped: Annotated[datetime | None, BeforeValidator(_date)] = None
    consignments: object = None


class StockRules(Payload):
    """The store's own settings of when orders move stock (``GET /v3/settings/inventory``)."""

    update_stock_behavior: Literal["order_placed", "order_completed_or_shipped"] | None = None
    edit_order_stock_adjustment: bool | None = None
    refund_order_stock_adjustment: bool | None = None


class _Sold(NamedTuple):
    order: Order
    line: Line
    at: datetime


class Orders:
    """The orders of one store."""

    def __init__(self, client: BigCommerceClient) -> None:
        self._client = client

    def sales(self, since: datetime) -> Iterator[Sale]:
        """See :meth:`channels.contract.Channel.sales`. Pages are cut by order id, so that changes move nothing."""
        rules = self._rules()
        after = 0
        while True:
            orders = self._page(since, after)
            if orders and not orders[0].id > after:
                reason = f"orders from {after + 1} on were asked for, and {orders[0].id} was given"
                raise Incomprehensible(self._client.channel, "read orders", reason)
            sold = list(self._sold(orders, rules))
            yield from sales_of(sold, self._products({line.product_id for _, line, _ in sold}))
            if len(orders) < PAGE:
                return
            after = orders[-1].id

    def _page(self, since: datetime, after: int) -> list[Order]:
        params: dict[str, str | int] = {
            "min_date_modified": since.astimezone(UTC).isoformat(timespec="seconds"),
            "min_id": after + 1,
            "sort": "id:asc",
            "limit": PAGE,
            "include": "consignments.line_items",
            "consignment_structure": "object",
        }
        return self._client.fetch("read orders", "/v2/orders", params, list[Order])

    def _sold(self, orders: Iterable[Order], rules: StockRules) -> Iterator[_Sold]:
        for order in orders:
            at = took_stock_at(order, rules)
            if at is None:
                continue
            lines = lines_of(order.consignments)
            if lines is None or sum(line.quantity for line in lines) != order.items_total:
                lines = self._lines(order)
            yield from (_Sold(order, line, at) for line in lines if line.product_id)

    def _lines(self, order: Order) -> list[Line]:
        lines: list[Line] = []
        number = 1
        while True:
            params: dict[str, str | int] = {"limit": PAGE, "page": number}
            page = self._client.fetch("read order products", f"/v2/orders/{order.id}/products", params, list[Line])
            lines += page
            if len(page) < PAGE:
                return lines
            number += 1

    def _products(self, ids: Iterable[int]) -> dict[int, Product]:
        """The products that were sold: only the catalogue knows which listing holds a line's stock."""
        wanted = sorted(ids)
        found: dict[int, Product] = {}
        for start in range(0, len(wanted), PAGE):
            some = ",".join(str(number) for number in wanted[start : start + PAGE])
            params: dict[str, str | int] = {
                "id:in": some,
                "include": "variants",
                "include_fields": PRODUCT_FIELDS,
                "limit": PAGE,
            }
            page = self._client.fetch("read sold products", "/v3/catalog/products", params, Page[Product])
            found.update((product.id, product) for product in page.data)
        return found

    def _rules(self) -> StockRules:
        """The store's settings; without the right to read them, those that a new store has."""
        try:
            return self._client.fetch("read stock settings", "/v3/settings/inventory", {}, Answer[StockRules]).data
        except Denied as error:
            if error.status != 403:
                raise
            logger.warning("%s: orders are taken to move stock when placed. %s", error.channel, error.advice)
            return StockRules()


def took_stock_at(order: Order, rules: StockRules) -> datetime | None:
    """When the order took its units, or ``None`` where it holds none.

    An incomplete order has taken nothing yet, a declined one nothing for good. A cancelled one gives back where
    the store is set so. A refund leaves the units taken: refunds by API and partial refunds do not restock, and
    where two stories fit, the one with less stock is taken.
    """
    if order.status_id in (INCOMPLETE, DECLINED):
        return None
    if order.status_id == CANCELLED and rules.refund_order_stock_adjustment is not False:
        return None
    if rules.update_stock_behavior == "order_completed_or_shipped":
        if order.date_shipped is None and order.status_id not in (SHIPPED, COMPLETED):
            return None
        return order.date_shipped or order.date_created
    return order.date_created


def lines_of(consignments: object) -> list[Line] | None:
    """The lines that came along with an order, or ``None`` where they are only linked to or cannot be understood."""
    if not isinstance(consignments, Mapping):
        return None
    found: list[object] = []
    for kind in ("shipping", "pickups", "downloads"):
        for consignment in consignments.get(kind) or []:
            found += consignment.get("line_items") or [] if isinstance(consignment, Mapping) else [None]
    try:
        return _LINES.validate_python(found)
    except ValidationError:
        return None


_LINES = TypeAdapter(list[Line])


def sales_of(sold: Iterable[_Sold], products: Mapping[int, Product]) -> Iterator[Sale]:
    """Which listings the lines were taken from. A product whose stock is not counted has none.

    A product that is gone from the catalogue leaves its SKU as the order has it.
    """
    for order, line, at in sold:
        sku, ref = (line.sku or "").strip(), ""
        product = products.get(line.product_id)
        if product is not None and product.inventory_tracking == "none":
            continue
        if product is not None and product.inventory_tracking == "product":
            sku, ref = str(product.sku or sku).strip(), str(Ref(product.id))
        elif product is not None and line.variant_id:
            named = {variant.id: variant.sku for variant in product.variants or ()}
            sku, ref = str(named.get(line.variant_id) or sku).strip(), str(Ref(product.id, line.variant_id))
        yield Sale(str(order.id), str(line.id), sku, ref, line.quantity, at)
