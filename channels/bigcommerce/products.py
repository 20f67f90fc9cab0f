"""The products of a store by their ids, page after page: all of them, or those that were changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from channels.bigcommerce.client import BigCommerceClient
from channels.bigcommerce.models import Page, Product
from channels.errors import Incomprehensible

#: The most products on one page (the catalogue's maximum ``limit``).
PAGE = 250

PATH = "/v3/catalog/products"

Params = Mapping[str, str | int]


class Part(NamedTuple):
    """One page."""

    products: list[Product]
    #: After which id the next one begins.
    after: int
    last: bool


def fetch(client: BigCommerceClient, operation: str, params: Params) -> tuple[list[Product], int]:
    """One page, and how many products match on all pages together."""
    page = client.fetch(operation, PATH, {"limit": PAGE, **params}, Page[Product])
    return page.data, page.meta.pagination.total


def by_id(client: BigCommerceClient, operation: str, params: Params, after: int = 0) -> Iterator[Part]:
    """The products whose ids follow one, in their order.

    Pages are cut by id and not by number: a product that is added or deleted meanwhile moves no other product across
    the edge of a page.
    """
    while True:
        within: dict[str, str | int] = {"id:greater": after, "sort": "id", "direction": "asc"}
        products, total = fetch(client, operation, {**params, **within})
        if total and not (products and products[0].id > after):
            reason = f"{total} products are said to follow the product {after}, and none was given"
            raise Incomprehensible(client.channel, operation, reason)
        last = total <= len(products)
        after = products[-1].id if products else after
        yield Part(products, after, last)
        if last:
            return


def changed_since(moment: datetime) -> Params:
    """The filter for products that were changed then or later, which may be any of their fields.

    With the time and its zone: to a date alone the store adds the time of day that it is.
    """
    return {"date_modified:min": moment.astimezone(UTC).isoformat(timespec="seconds")}
