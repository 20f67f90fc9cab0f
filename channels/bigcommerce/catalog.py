"""Stock by the catalogue: levels read and written as ``inventory_level`` of products and variants."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime

from channels.batches import outcomes_of, write_split
from channels.bigcommerce.client import BigCommerceClient
from channels.bigcommerce.fuse import Fuse
from channels.bigcommerce.models import (
    PRODUCT_FIELDS,
    Answer,
    Product,
    Ref,
    Variant,
    asked_for,
    level_of,
    rows_of_products,
)
from channels.bigcommerce.products import PAGE, by_id, changed_since, fetch
from channels.contract import Outcome, Page, Result, Write
from channels.errors import Denied

#: What a reading asks for: products with what of them counts stock.
STOCK = {"include": "variants", "include_fields": PRODUCT_FIELDS}

#: How many pages a part of a reading has at least: the last page of each is hardly ever full.
PART_PAGES = 25

#: The most items that the batch PUTs take (products_catalog.v3.yml, product-variants_catalog.v3.yml).
PRODUCTS_PER_CALL = 10
VARIANTS_PER_CALL = 50


class CatalogStock:
    """The levels of one store as its catalogue shows them."""

    #: Each ref names at most one product, so that this many always fit on one page.
    read_batch = PAGE
    write_batch = VARIANTS_PER_CALL
    #: A level in an answer and the next reading of it come from different machines of the store.
    settle_s = 2.0

    def __init__(self, client: BigCommerceClient) -> None:
        self._client = client

    def read_all(self, cursor: str | None) -> Iterator[Page]:
        """Every listing in the order of product ids; the cursor is the last product id, or ``after-last`` of a part."""
        after, end = _range(cursor)
        within: dict[str, str | int] = {"id:less": end + 1} if end else {}
        for part in by_id(self._client, "read products", STOCK | within, after):
            rows = rows_of_products(part.products)
            yield Page(rows.levels, rows.problems, cursor=None if part.last else _cursor(part.after, end))

    def changed(self, since: datetime) -> Iterator[Page]:
        """The listings of products that were changed: as many by each call as of a full reading."""
        for part in by_id(self._client, "read changed products", {**STOCK, **changed_since(since)}):
            rows = rows_of_products(part.products)
            yield Page(rows.levels, rows.problems)

    def split(self, cursor: str, parts: int) -> Sequence[str]:
        """By one call, parts of as many ids each. The last one has no end: there a product is found that is new."""
        after, end = _range(cursor)
        if end:
            return [cursor]
        highest: dict[str, str | int] = {"id:greater": after, "sort": "id", "direction": "desc", "limit": 1}
        found, total = fetch(self._client, "read the last product", STOCK | highest)
        parts = min(parts, total // (PAGE * PART_PAGES))
        if not found or parts < 2:
            return [cursor]
        step = (found[0].id - after) // parts
        edges = [after + step * number for number in range(parts)]
        return [_cursor(edge, edge + step if number < parts else 0) for number, edge in enumerate(edges, 1)]

    def read(self, refs: Sequence[str]) -> Page:
        """These listings, by one call."""
        products = sorted({ref.product_id for text in refs if (ref := Ref.parse(text))})
        if not products:
            return Page([])
        found, _ = fetch(self._client, "read some products", STOCK | {"id:in": ",".join(map(str, products))})
        rows = rows_of_products(found)
        return Page(asked_for(rows.levels, refs), rows.problems)

    def write(self, writes: Sequence[Write], until: float = math.inf) -> list[Outcome]:
        """Levels of products by tens and of variants by fifties."""
        outcomes: dict[str, Outcome] = {}
        send = Fuse(self._send)
        for batch in _batches(writes):
            try:
                results = write_split(batch, send, until=until)
            except Denied as error:
                if not outcomes:
                    raise
                results = outcomes_of(batch, error)
            outcomes.update(zip((write.ref for write in batch), results, strict=True))
        return [outcomes[write.ref] for write in writes]

    def _send(self, writes: Sequence[Write]) -> list[Outcome]:
        """One call for writes of one kind. The single PUTs say best what is wrong, so one row goes by them."""
        refs = [ref for write in writes if (ref := Ref.parse(write.ref))]
        if refs[0].variant_id is None:
            return self._send_products(refs, writes)
        return self._send_variants(refs, writes)

    def _send_products(self, refs: Sequence[Ref], writes: Sequence[Write]) -> list[Outcome]:
        operation, path = "write products", "/v3/catalog/products"
        rows = [{"id": ref.product_id, "inventory_level": write.units} for ref, write in zip(refs, writes, strict=True)]
        if len(writes) == 1:
            body = {"inventory_level": writes[0].units}
            response = self._client.call(operation, "PUT", f"{path}/{refs[0].product_id}", json=body)
            shown = [self._client.understood(operation, response, Answer[Product]).data]
        else:
            response = self._client.call(operation, "PUT", path, json=rows)
            shown = self._client.understood(operation, response, Answer[list[Product]]).data
        products = {product.id: product for product in shown}
        return [
            _outcome_of_product(write, products.get(ref.product_id)) for ref, write in zip(refs, writes, strict=True)
        ]

    def _send_variants(self, refs: Sequence[Ref], writes: Sequence[Write]) -> list[Outcome]:
        operation = "write variants"
        rows = [{"id": ref.variant_id, "inventory_level": write.units} for ref, write in zip(refs, writes, strict=True)]
        if len(writes) == 1:
            path = f"/v3/catalog/products/{refs[0].product_id}/variants/{refs[0].variant_id}"
            response = self._client.call(operation, "PUT", path, json={"inventory_level": writes[0].units})
            shown = [self._client.understood(operation, response, Answer[Variant]).data]
        else:
            response = self._client.call(operation, "PUT", "/v3/catalog/variants", json=rows)
            shown = self._client.understood(operation, response, Answer[list[Variant]]).data
        levels = {variant.id: level_of(variant.inventory_level) for variant in shown}
        return [_outcome(write, levels.get(ref.variant_id or 0)) for ref, write in zip(refs, writes, strict=True)]


def _range(cursor: str | None) -> tuple[int, int]:
    """The product ids after which a reading goes on and with which it ends; 0 for no end."""
    after, _, end = (cursor or "0").partition("-")
    return int(after), int(end or 0)


def _cursor(after: int, end: int) -> str:
    return f"{after}-{end}" if end else str(after)


def _batches(writes: Sequence[Write]) -> list[list[Write]]:
    """The writes by kind, in parts that one call takes; the kind of the first write goes first."""
    products = [write for write in writes if write.ref.startswith("p")]
    variants = [write for write in writes if not write.ref.startswith("p")]
    parts = [products[start : start + PRODUCTS_PER_CALL] for start in range(0, len(products), PRODUCTS_PER_CALL)]
    more = [variants[start : start + VARIANTS_PER_CALL] for start in range(0, len(variants), VARIANTS_PER_CALL)]
    return parts + more if products and writes[0] is products[0] else more + parts


def _outcome_of_product(write: Write, product: Product | None) -> Outcome:
    """A product that meanwhile counts by variant takes its own level without effect."""
    if product is None:
        return Outcome(write.ref, Result.ACCEPTED)
    if product.inventory_tracking not in (None, "product"):
        reason = f"the product's stock is tracked by {product.inventory_tracking!r} now, no longer by product"
        return Outcome(write.ref, Result.REFUSED, reason=reason)
    return _outcome(write, level_of(product.inventory_level))


def _outcome(write: Write, shown: int | None) -> Outcome:
    """What an answer proves.

    Another level than the one sent proves nothing: a unit may have been sold meanwhile, or the answer may still
    show the level before the write (the store applies stock in the background). A later reading tells.
    """
    if shown == write.units:
        return Outcome(write.ref, Result.CONFIRMED, level=shown)
    reason = "" if shown is None else f"the answer shows {shown}"
    return Outcome(write.ref, Result.ACCEPTED, reason=reason)
