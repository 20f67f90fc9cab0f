"""The sandbox's store: its world, and what people, customers and time do to it. No HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count

from channels.bigcommerce.sandbox.quota import Quota
from channels.bigcommerce.sandbox.world import (
    DEFAULT_LOCATION,
    By,
    Hook,
    Line,
    Order,
    Product,
    Stock,
    Stocked,
    Switches,
    Tracking,
    Variant,
    stocked,
)
from channels.contract import MAX_UNITS

#: Every scope that the sandbox knows, as an API account may have them.
SCOPES = frozenset(
    scope + twin
    for scope in ("store_v2_products", "store_inventory", "store_locations", "store_v2_orders", "store_v2_information")
    for twin in ("", "_read_only")
)


class OutOfStock(Exception):
    """A customer wants more than the store shows."""


class Store:
    """A store in memory. Every method is one step that no other thread can see half done.

    Parameters:
        store_hash: The part of the API path that names the store.
        token: The access token of its API account.
        client_id: The client id of that account.
        client_secret: The secret with which its webhooks are signed.
        quota: Calls allowed in a window; ``None``: unlimited.
        window_s: Length of a window in seconds.
        clock: Unix time in seconds.
    """

    def __init__(
        self,
        *,
        store_hash: str = "sandbox",
        token: str = "sandbox-token",
        client_id: str = "sandbox-client",
        client_secret: str = "sandbox-secret",
        quota: int | None = 150,
        window_s: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store_hash = store_hash
        self.token = token
        self.client_id = client_id
        self.client_secret = client_secret
        self.clock = clock
        self.quota = Quota(clock, limit=quota, window_s=window_s)
        self.lock = threading.RLock()
        #: Called with the scope and the data of everything that the store tells its webhooks.
        self.listeners: list[Callable[[str, dict[str, object]], None]] = []
        self.reset()

    def reset(self) -> None:
        """Empty the store and put every switch back."""
        with self.lock:
            self.switches = Switches()
            self.scopes = set(SCOPES)
            #: By id, the oldest first.
            self.products: dict[int, Product] = {}
            self.variants: dict[int, Variant] = {}
            self.orders: dict[int, Order] = {}
            self.hooks: dict[int, Hook] = {}
            self.locations = {DEFAULT_LOCATION: "Default location"}
            self.disabled_locations: set[int] = set()
            self._skus: dict[str, Stocked] = {}
            self._due: list[tuple[float, Callable[[], None]]] = []
            self._ids: dict[str, Iterator[int]] = {}

    # What people do.

    def add(self, sku: str, level: int | None = 0, *, tracking: Tracking = "product", name: str = "") -> Product:
        """Create a product without variants."""
        return self.add_product(name or sku, sku=sku, level=level, tracking=tracking)

    def add_product(
        self,
        name: str,
        *,
        sku: str = "",
        level: int | None = 0,
        tracking: Tracking = "product",
        variants: Mapping[str, int | None] | None = None,
    ) -> Product:
        """Create a product, with a variant of its own for each SKU in ``variants``."""
        with self.lock:
            product = Product(self._id("product"), sku, name=name, tracking=tracking, modified_at=self.clock())
            for variant_sku, units in (variants or {sku: level}).items():
                is_base = variants is None
                sku_id = None if is_base else self._id("sku")
                variant = Variant(self._id("variant"), variant_sku, product_id=product.id, sku_id=sku_id)
                variant.at(DEFAULT_LOCATION).on_hand = units
                product.variants.append(variant)
            product.at(DEFAULT_LOCATION).on_hand = level
            self.products[product.id] = product
            self._enter(product)
            self._tell("store/product/created", {"type": "product", "id": product.id})
            return product

    def remove(self, sku: str) -> None:
        """Delete a variant, or a product with all its variants."""
        with self.lock:
            item = self.find(sku)
            product = self.product_of(item)
            if isinstance(item, Variant) and item.sku_id is not None:
                product.variants.remove(item)
                product.modified_at = self.clock()
                self._tell("store/sku/deleted", _sku_event(item))
            else:
                del self.products[product.id]
                self._tell("store/product/deleted", {"type": "product", "id": product.id})
            self._index()

    def rename(self, sku: str, new: str) -> None:
        """Give a listing another SKU."""
        with self.lock:
            item = self.find(sku)
            item.sku = new
            product = self.product_of(item)
            product.modified_at = self.clock()
            if product.base_variant_id is not None:
                product.sku = product.variants[0].sku = new
            self._index()
            if isinstance(item, Variant) and item.sku_id is not None:
                self._tell("store/sku/updated", _sku_event(item))
            else:
                self._tell("store/product/updated", {"type": "product", "id": product.id})

    def set_level(self, sku: str, level: int, location: int = DEFAULT_LOCATION) -> None:
        """Count a listing anew, as a person does in the control panel: the level is what can be sold."""
        with self.lock:
            item = self.find(sku)
            self.change(item, location, level + item.at(location).safety)

    def restock(self, sku: str, units: int, location: int = DEFAULT_LOCATION) -> None:
        """Put units on the shelf."""
        with self.lock:
            self.set_level(sku, self.level(sku, location) + units, location)

    def set_safety_stock(self, sku: str, units: int, location: int = DEFAULT_LOCATION) -> None:
        """Keep units back from sale; what is on hand stays."""
        with self.lock:
            item = self.find(sku)
            item.at(location).safety = units
            self._tell("store/channel/*/inventory/product/settings_changed", self._place_event(item, location))

    def add_location(self, name: str) -> int:
        """Open another location."""
        with self.lock:
            location = max(self.locations) + 1
            self.locations[location] = name
            return location

    # What customers do.

    def sell(self, sku: str, units: int = 1) -> Order:
        """Place an order of one line."""
        return self.order({sku: units})

    def order(self, lines: Mapping[str, int], *, status_id: int = 11) -> Order:
        """Place an order; it takes its units at once where the store is set so.

        Raises:
            OutOfStock: the store shows fewer units; nothing was taken.
        """
        with self.lock:
            now = self.clock()
            order = Order(self._id("order"), status_id, [], now, now)
            for sku, units in lines.items():
                item = self.find(sku)
                product = self.product_of(item)
                variant = item if isinstance(item, Variant) else product.variants[0]
                if product.tracking != "none" and self.level(sku) < units:
                    raise OutOfStock(f"{sku} shows {self.level(sku)}, and {units} were wanted")
                order.lines.append(Line(self._id("line"), product.id, variant.id, sku, units))
            self.orders[order.id] = order
            self._tell("store/order/created", {"type": "order", "id": order.id})
            self._hold(order)
            return order

    def set_status(self, order_id: int, status_id: int) -> None:
        """Move an order to another status: it takes or gives back its units by the store's settings."""
        with self.lock:
            order = self.orders[order_id]
            status = {"previous_status_id": order.status_id, "new_status_id": status_id}
            order.status_id, order.modified_at = status_id, self.clock()
            if status_id == 2:
                order.shipped_at = order.modified_at
            self._tell("store/order/statusUpdated", {"type": "order", "id": order.id, "status": status})
            self._hold(order)

    def cancel(self, order_id: int) -> None:
        """Cancel an order."""
        self.set_status(order_id, 5)

    # What is to be seen.

    def find(self, sku: str) -> Stocked:
        """What holds the stock of a SKU: a product or a variant. Case does not matter.

        Raises:
            KeyError: the store has no such SKU.
        """
        with self.lock:
            return self._skus[sku.casefold()]

    def product_of(self, item: Stocked) -> Product:
        """The product that an item is, or is a variant of."""
        return self.products[item.product_id if isinstance(item, Variant) else item.id]

    def has(self, item: Stocked) -> bool:
        """Whether an item is still there."""
        product = self.products.get(item.product_id if isinstance(item, Variant) else item.id)
        return product is not None and (product is item or item in product.variants)

    def level(self, sku: str, location: int = DEFAULT_LOCATION) -> int:
        """What is truly for sale, whatever readings still show."""
        with self.lock:
            self.catch_up()
            stock = self.find(sku).at(location)
            return (stock.on_hand or 0) - stock.safety

    def levels(self) -> dict[str, int]:
        """What is truly for sale of every listing that is tracked, by SKU."""
        with self.lock:
            items = (item for product, item in stocked(self.products.values()) if product.tracking != "none")
            return {item.sku: self.level(item.sku) for item in items if item.sku}

    def shown(self, item: Stocked, location: int) -> tuple[int, int]:
        """What a reading shows: what can be sold, and what is on hand."""
        stock = item.at(location)
        late = self.clock() - stock.changed_at < self.switches.read_lag_s
        on_hand = (stock.before if late else stock.on_hand) or 0
        return on_hand - stock.safety, on_hand

    # What the API does.

    def change(self, item: Stocked, location: int, on_hand: int, *, by: By = "catalogue") -> None:
        """Let an item have so much on hand at a location from now on. ``by``: the way it came about."""
        with self.lock:
            stock = item.at(location)
            before = stock.on_hand or 0
            stock.before, stock.changed_at = stock.on_hand, self.clock()
            stock.on_hand = min(on_hand, MAX_UNITS)
            if by == "catalogue" or self.switches.stock_touches_date:
                self.product_of(item).modified_at = self.clock()
            if stock.on_hand != before:
                self._tell_of_stock(item, location, stock, before, by_order=by == "order")

    def later(self, action: Callable[[], None]) -> None:
        """Do something when the delay of adjustments has passed; at once where there is none."""
        with self.lock:
            self._due.append((self.clock() + self.switches.apply_delay_s, action))
            self.catch_up()

    def catch_up(self) -> None:
        """Do what has fallen due."""
        with self.lock:
            while self._due and self._due[0][0] <= self.clock():
                self._due.pop(0)[1]()

    def settle(self) -> None:
        """Let all delays have passed."""
        with self.lock:
            while self._due:
                self._due.pop(0)[1]()
            for _, item in stocked(self.products.values()):
                for stock in item.stock.values():
                    stock.changed_at = float("-inf")

    def new_id(self, kind: str) -> int:
        """The next id of a kind of thing."""
        with self.lock:
            return self._id(kind)

    def _hold(self, order: Order) -> None:
        """Let an order take its units or give them back, as its status says."""
        placed = self.switches.update_stock_behavior == "order_placed"
        taken = order.status_id not in (0, 5, 6) if placed else order.status_id in (2, 10)
        if order.taken and order.status_id == 5 and not self.switches.refund_order_stock_adjustment:
            taken = True
        if order.status_id == 4:
            taken = order.taken  # a refund by API does not restock
        if taken == order.taken:
            return
        order.taken = taken
        for line in order.lines:
            item = self._item_of(line)
            if item is not None and self.product_of(item).tracking != "none":
                stock = item.at(DEFAULT_LOCATION)
                difference = -line.quantity if taken else line.quantity
                self.change(item, DEFAULT_LOCATION, (stock.on_hand or 0) + difference, by="order")

    def _item_of(self, line: Line) -> Stocked | None:
        product = self.products.get(line.product_id)
        if product is None or product.tracking != "variant":
            return product
        return next((variant for variant in product.variants if variant.id == line.variant_id), None)

    def _id(self, kind: str) -> int:
        return next(self._ids.setdefault(kind, count(101)))

    def _index(self) -> None:
        self._skus.clear()
        self.variants.clear()
        for product in self.products.values():
            self._enter(product)

    def _enter(self, product: Product) -> None:
        self._skus.update((item.sku.casefold(), item) for _, item in stocked([product]) if item.sku)
        self.variants.update((variant.id, variant) for variant in product.variants)

    def _tell_of_stock(self, item: Stocked, location: int, stock: Stock, before: int, *, by_order: bool) -> None:
        scope = "inventory/order/updated" if by_order else "inventory/updated"
        on_hand = stock.on_hand or 0
        is_difference = by_order or self.switches.value == "difference"
        inventory: dict[str, object] = {
            "product_id": self.product_of(item).id,
            "method": "relative" if by_order else "absolute",
            "value": on_hand - before if is_difference else on_hand - stock.safety,
        }
        if isinstance(item, Variant):
            inventory["variant_id"] = item.id
            self._tell(f"store/sku/{scope}", {"type": "sku", "id": item.sku_id, "inventory": inventory})
        else:
            self._tell(f"store/product/{scope}", {"type": "product", "id": item.id, "inventory": inventory})
        self._tell("store/channel/*/inventory/product/stock_changed", self._place_event(item, location))
        self._tell("store/product/updated", {"type": "product", "id": self.product_of(item).id})

    def _place_event(self, item: Stocked, location: int) -> dict[str, object]:
        product = self.product_of(item)
        variant = item if isinstance(item, Variant) else product.variants[0]
        return {"variant_id": variant.id, "product_id": product.id, "location_id": location}

    def _tell(self, scope: str, data: dict[str, object]) -> None:
        for listener in self.listeners:
            listener(scope, data)


def _sku_event(variant: Variant) -> dict[str, object]:
    ids = {"product_id": variant.product_id, "variant_id": variant.id}
    return {"type": "sku", "id": variant.sku_id, "sku": ids}
