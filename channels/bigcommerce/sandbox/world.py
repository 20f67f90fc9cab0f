"""What the sandbox's store consists of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Tracking = Literal["none", "product", "variant"]

#: By what a level was changed: by an order, by the Inventory API, or by the catalogue, be it the control panel's.
By = Literal["order", "inventory", "catalogue"]

#: The store's default location, which cannot be deleted; its stock is what the catalogue shows.
DEFAULT_LOCATION = 1


@dataclass(slots=True)
class Stock:
    """The stock of one item at one location. ``None`` was never set, and shows as 0."""

    on_hand: int | None = None
    safety: int = 0
    warning: int = 0
    #: What was on hand before the last change, and when that was, for readings that lag behind.
    before: int | None = None
    changed_at: float = float("-inf")


@dataclass(slots=True)
class Stocked:
    """Something that can have stock."""

    id: int
    sku: str
    stock: dict[int, Stock] = field(default_factory=dict)

    def at(self, location: int) -> Stock:
        """Its stock at one location."""
        return self.stock.setdefault(location, Stock())


@dataclass(slots=True)
class Variant(Stocked):
    """A variant. A product without variants has one base variant, which has no V2 SKU id."""

    product_id: int = 0
    sku_id: int | None = None


@dataclass(slots=True)
class Product(Stocked):
    """A product with its variants: at least a base variant."""

    name: str = ""
    tracking: Tracking = "product"
    variants: list[Variant] = field(default_factory=list)
    modified_at: float = 0.0

    @property
    def base_variant_id(self) -> int | None:
        """The base variant of a simple product; ``None`` for a complex one."""
        return self.variants[0].id if self.variants and self.variants[0].sku_id is None else None


@dataclass(slots=True)
class Line:
    """One line of an order."""

    id: int
    product_id: int
    variant_id: int
    sku: str
    quantity: int


@dataclass(slots=True)
class Order:
    """An order. ``taken``: whether it holds its units now."""

    id: int
    status_id: int
    lines: list[Line]
    created_at: float
    modified_at: float
    shipped_at: float | None = None
    taken: bool = False


@dataclass(slots=True)
class Hook:
    """A webhook of one API account."""

    id: int
    scope: str
    destination: str
    headers: dict[str, str] | None
    is_active: bool
    created_at: int
    updated_at: int
    client_id: str


@dataclass(slots=True)
class Switches:
    """What is documented badly or not at all, and can be chosen."""

    #: Seconds until an adjustment of the Inventory API takes effect.
    apply_delay_s: float = 0.0
    #: Seconds for which readings still show the level before a change.
    read_lag_s: float = 0.0
    #: What a PUT of a product's own level does while its variants count.
    level_on_variant_tracked: Literal["ignore", "207", "422"] = "ignore"
    #: How many of the next catalogue PUTs save the product and not its stock (HTTP 207).
    lose_stock: int = 0
    #: How many of the next batch PUTs answer without the rows they saved.
    silent_batches: int = 0
    #: What the catalogue shows of a store with several locations.
    catalog_level: Literal["default", "total"] = "default"
    #: Whether a change of stock by an order or by the Inventory API touches the date of its product.
    stock_touches_date: bool = False
    #: Whether the Inventory API lists items whose product is not tracked.
    list_untracked: bool = False
    #: The most rows that a V3 page has, whatever limit is asked for; ``None``: what is documented, and 413 above it.
    page_rows: int | None = None
    #: Whether deliveries are signed (Standard Webhooks), and whether repeated ones are signed anew.
    sign: bool = True
    sign_again: bool = True
    #: The probability with which a delivery is lost, made twice, or made late (by up to ``late_s`` seconds).
    drop: float = 0.0
    duplicate: float = 0.0
    late: float = 0.0
    late_s: float = 1.0
    #: By how much the hours between repetitions are shorter: 0.001 makes 48 hours three minutes.
    retry_scale: float = 1.0
    #: What stands in ``value`` of an event: both are documented.
    value: Literal["level", "difference"] = "level"
    #: When orders take stock, and whether a cancelled one gives it back.
    update_stock_behavior: Literal["order_placed", "order_completed_or_shipped"] = "order_placed"
    edit_order_stock_adjustment: bool = True
    refund_order_stock_adjustment: bool = True
    #: By how many seconds the store's clock is ahead, as its answers tell.
    clock_ahead_s: float = 0.0


def stocked(products: Iterable[Product]) -> Iterator[tuple[Product, Stocked]]:
    """Every product with each thing in it whose stock counts: itself, or its variants."""
    for product in products:
        if product.tracking == "variant":
            yield from ((product, variant) for variant in product.variants)
        else:
            yield product, product
