"""What BigCommerce answers about stock, and what it means in the words of the contract. No I/O.

Two kinds of strangeness are told apart: an answer of another shape is no answer of this API, and none of it is
used; a row of the right shape that says nothing understandable about stock becomes a problem, never a zero.
Shapes: reference/catalog and reference/inventory.v3.yml of github.com/bigcommerce/docs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Generic, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from channels.contract import MAX_UNITS, Level, Problem

#: What of a product a reading needs; its id always comes along.
PRODUCT_FIELDS = "name,sku,inventory_level,inventory_tracking"

_REF = re.compile(r"p([0-9]{1,19})|v([0-9]{1,19})/([0-9]{1,19})")

T = TypeVar("T")

Id = Annotated[StrictInt, Field(gt=0)]


class Payload(BaseModel):
    """A part of an answer's body. Only what is used is named; what else comes is let pass."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Pagination(Payload):
    """How many rows match on all pages together, and how many a page has at the most."""

    total: StrictInt
    per_page: Id | None = None

    def is_last(self, number: int, limit: int) -> bool:
        """Whether nothing follows this page. A store may give fewer rows than the limit that was asked for."""
        return number * min(limit, self.per_page or limit) >= self.total


class Meta(Payload):
    """What a V3 collection says about itself."""

    pagination: Pagination


class Page(Payload, Generic[T]):
    """A page of a V3 collection."""

    data: list[T]
    meta: Meta


class Answer(Payload, Generic[T]):
    """A V3 answer about one thing, or about each thing of a batch."""

    data: T


class Variant(Payload):
    """A variant, as ``include=variants`` gives it and as a variant PUT answers."""

    id: Id
    sku: object = None
    inventory_level: object = None


class Product(Payload):
    """A product, as the catalogue gives it and as a product PUT answers."""

    id: Id
    name: object = None
    sku: object = None
    inventory_level: object = None
    inventory_tracking: object = None
    variants: list[Variant] | None = None

    def __str__(self) -> str:
        return f"product {self.name or self.id!r}"


class Identity(Payload):
    """Which item of the catalogue an inventory item is. ``sku_id`` is null for a base variant."""

    product_id: Id
    variant_id: Id | None = None
    sku_id: StrictInt | None = None
    sku: object = None


class ItemSettings(Payload):
    """What the merchant set for one item at one location; null is nothing."""

    safety_stock: StrictInt | None = None


class Place(Payload):
    """The stock of one item at one location: ``available_to_sell`` is on hand less the safety stock."""

    location_id: Id
    available_to_sell: object = None
    settings: ItemSettings | None = None

    @property
    def safety_stock(self) -> int:
        """Units that are kept back from sale."""
        return (self.settings and self.settings.safety_stock) or 0


class Item(Payload):
    """An inventory item with its locations."""

    identity: Identity
    locations: list[Place]

    @property
    def ref(self) -> Ref:
        """A base variant stands for a product without variants, which is adjusted by its product id."""
        identity = self.identity
        return Ref(identity.product_id, identity.variant_id if identity.sku_id else None)

    def at(self, location_id: int) -> Place | None:
        """Its stock at one location, or ``None`` where it has none there."""
        return next((place for place in self.locations if place.location_id == location_id), None)


class Location(Payload):
    """A place at which a store keeps stock."""

    id: Id
    label: str = ""
    enabled: bool = True

    def __str__(self) -> str:
        return f"location {self.id}" + (f" ({self.label})" if self.label else "")


class Ref(NamedTuple):
    """The store's own id of a listing: ``p<product_id>``, or ``v<product_id>/<variant_id>`` where variants count."""

    product_id: int
    variant_id: int | None = None

    def __str__(self) -> str:
        return f"p{self.product_id}" if self.variant_id is None else f"v{self.product_id}/{self.variant_id}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The ref that was written so, or ``None`` when it is none of this channel type."""
        match = _REF.fullmatch(text)
        if match is None:
            return None
        product, parent, variant = match.groups()
        return cls(int(product)) if product else cls(int(parent), int(variant))

    @classmethod
    def product_of(cls, text: str) -> Self | None:
        """The ref of the product that a listing belongs to."""
        ref = cls.parse(text)
        return ref and cls(ref.product_id)


class Rows(NamedTuple):
    """The rows of one answer, as they are gathered."""

    levels: list[Level]
    problems: list[Problem]

    def add(self, ref: Ref, sku: object, units: object, what: str) -> None:
        """Take a listing whose stock is counted, or say what is wrong with it. ``what``: its name for people."""
        text = sku.strip() if isinstance(sku, str) else ""
        level = level_of(units)
        if not text:
            self.problems.append(Problem(str(ref), f"{what} has no SKU: give it one in the store's control panel"))
        elif level is None:
            reason = f"{what} shows the level {units!r}; a whole number from 0 to {MAX_UNITS} would be right"
            self.problems.append(Problem(text, reason))
        else:
            self.levels.append(Level(text, str(ref), level))


def asked_for(levels: Iterable[Level], refs: Iterable[str]) -> list[Level]:
    """Those of the levels that were asked for. Who asks for a product gets each listing that it has.

    A webhook often names no more than the product, and a product may change the way its stock is tracked.
    """
    wanted = frozenset(refs)
    return [level for level in levels if level.ref in wanted or str(Ref.product_of(level.ref)) in wanted]


def level_of(units: object) -> int | None:
    """A level as the store states it, or ``None`` when it is none that a store can have."""
    if isinstance(units, int) and not isinstance(units, bool) and 0 <= units <= MAX_UNITS:
        return units
    return None


def rows_of_products(products: Iterable[Product]) -> Rows:
    """The listings of products that came with ``PRODUCT_FIELDS`` and their variants.

    The tracking of a product decides: ``none`` counts nothing and is left out; ``product`` is one listing under the
    product's own SKU; ``variant`` is one listing for each variant.
    """
    rows = Rows([], [])
    for product in products:
        tracking = product.inventory_tracking
        if tracking == "product":
            rows.add(Ref(product.id), product.sku, product.inventory_level, str(product))
        elif tracking == "variant" and product.variants is not None:
            for variant in product.variants:
                what = f"variant {variant.id} of {product}"
                rows.add(Ref(product.id, variant.id), variant.sku, variant.inventory_level, what)
        elif tracking == "variant":
            rows.problems.append(Problem(str(Ref(product.id)), f"{product} came without the variants it counts"))
        elif tracking != "none":
            reason = f"{product} does not say how its stock is tracked (none, product or variant), but {tracking!r}"
            rows.problems.append(Problem(str(Ref(product.id)), reason))
    return rows


def rows_of_items(items: Iterable[Item], location_id: int) -> Rows:
    """The listings of inventory items at one location; an item without stock there is left out."""
    rows = Rows([], [])
    for item in items:
        place = item.at(location_id)
        if place is not None:
            rows.add(item.ref, item.identity.sku, place.available_to_sell, f"inventory item {item.ref}")
    return rows
