"""What must be right at a store so that its stock can be kept. Found out by reading alone, with few calls."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence

import requests

from channels.bigcommerce.client import BigCommerceClient
from channels.bigcommerce.hooks import existing_hooks, path_of, plan, wanted_hooks
from channels.bigcommerce.models import (
    PRODUCT_FIELDS,
    Answer,
    Item,
    Location,
    Product,
    rows_of_products,
)
from channels.bigcommerce.models import Page as Collection
from channels.bigcommerce.orders import StockRules
from channels.bigcommerce.settings import BigCommerceSettings
from channels.contract import Capabilities
from channels.diagnosis import Check, Finding, Severity, clock, examine, quota, some
from channels.errors import Denied

#: The most pages of 250 products that are looked at.
PAGES = 8
PAGE = 250

#: The most items of the Inventory API that are looked at: one page.
ITEMS = 1000

#: The store's default location, whose stock the catalogue shows.
DEFAULT_LOCATION = 1

#: Seconds to wait for our own receiver.
RECEIVER_S = 5.0

#: What is wrong with a hook, by how :mod:`channels.bigcommerce.hooks` calls it.
WRONG = {"inactive": "switched off, so that events were missed", "headers": "without our secret header"}

CALL_HOOKS = "Run: celery -A sync call sync.ensure_webhooks"


def diagnose(
    client: BigCommerceClient, name: str, settings: BigCommerceSettings, capabilities: Capabilities
) -> Iterator[Finding]:
    """See :meth:`channels.contract.Channel.diagnose`. Some 14 calls at the most."""
    doctor = _Doctor(client, name, settings, capabilities)
    return examine(
        [
            Check("products", doctor.products),
            Check("orders", doctor.orders),
            Check("stock settings", doctor.stock_settings, Severity.WARNING),
            Check("locations", doctor.locations, Severity.WARNING),
            Check("inventory", doctor.inventory),
            Check("webhooks", doctor.webhooks),
            Check("receiver", doctor.receiver),
        ]
    )


class _Doctor:
    """The checks of one store."""

    def __init__(
        self, client: BigCommerceClient, name: str, settings: BigCommerceSettings, capabilities: Capabilities
    ) -> None:
        self._client = client
        self._name = name
        self._settings = settings
        self._margin_s = capabilities.order_margin_s

    @property
    def _by_catalogue(self) -> bool:
        return self._settings.write == "catalog"

    def products(self) -> Iterator[Finding]:
        """Is the token valid, may it read products, and how is their stock tracked?"""
        asked_at = time.time()
        params: dict[str, str | int] = {
            "include": "variants",
            "include_fields": PRODUCT_FIELDS,
            "limit": PAGE,
            "sort": "id",
        }
        response = self._client.call("read products", "GET", "/v3/catalog/products", params=params)
        answered_at = time.time()
        page = self._client.understood("read products", response, Collection[Product])
        total, products = page.meta.pagination.total, list(page.data)
        yield Finding(
            Severity.OK, "products", f"{total} can be read; whether they may be changed shows at the first write"
        )
        yield from clock(response.headers.get("Date"), asked_at, answered_at, self._margin_s)
        yield from quota(self._client.quota("read products", response))
        while len(products) < total and len(products) < PAGE * PAGES and page.data:
            more = params | {"id:greater": products[-1].id}
            page = self._client.fetch("read products", "/v3/catalog/products", more, Collection[Product])
            products += page.data
        yield from tracking(products, total)

    def orders(self) -> Iterator[Finding]:
        """May orders be read?"""
        self._client.call("read orders", "GET", "/v2/orders", params={"limit": 1})
        yield Finding(Severity.OK, "orders", "can be read")

    def stock_settings(self) -> Iterator[Finding]:
        """When does the store take stock, and when does it give it back?"""
        answer = self._client.fetch("read stock settings", "/v3/settings/inventory", {}, Answer[StockRules])
        yield from rules(answer.data)

    def locations(self) -> Iterator[Finding]:
        """Is the location there whose stock counts, and is it the only one where it has to be?"""
        wanted = self._settings.location_id
        if self._by_catalogue and wanted != DEFAULT_LOCATION:
            what = f"location_id is {wanted}, and the catalogue shows the default location"
            yield Finding(Severity.WARNING, "locations", what, 'Set write = "inventory" to keep another location.')
        try:
            page = self._client.fetch(
                "read locations", "/v3/inventory/locations", {"limit": PAGE}, Collection[Location]
            )
        except Denied as error:
            if error.status != 403 or not self._by_catalogue:
                raise
            return  # whoever keeps stock by the catalogue needs no such right
        yield from places(page.data, DEFAULT_LOCATION if self._by_catalogue else wanted, self._by_catalogue)

    def inventory(self) -> Iterator[Finding]:
        """May stock be read by the Inventory API, and is some kept back from sale?"""
        params = {"location_id:in": DEFAULT_LOCATION if self._by_catalogue else self._settings.location_id}
        try:
            page = self._client.fetch(
                "read inventory", "/v3/inventory/items", {**params, "limit": ITEMS}, Collection[Item]
            )
        except Denied as error:
            if error.status != 403 or not self._by_catalogue:
                raise
            return
        if not self._by_catalogue:
            yield Finding(Severity.OK, "inventory", f"{page.meta.pagination.total} items can be read")
        yield from safety_stocks(page.data, by_catalogue=self._by_catalogue)

    def webhooks(self) -> Iterator[Finding]:
        """Are our webhooks there, active, and of the right address?"""
        if self._settings.webhook_url is None:
            what = "webhook_url is not set, so changes are found by the schedule alone"
            yield Finding(Severity.NOTE, "webhooks", what, "Set it to the public address of `celery -A sync serve`.")
            return
        wanted = wanted_hooks(self._name, self._settings)
        todo = plan(self._name, wanted, existing_hooks(self._client))
        if todo.create:
            missing = some([hook.scope for hook in todo.create])
            what = f"{len(todo.create)} of {len(wanted)} not registered: {missing}"
            yield Finding(Severity.WARNING, "webhooks", what, CALL_HOOKS)
        wrong: dict[str, list[str]] = {}
        for hook, want, why in todo.repair:
            wrong.setdefault(f"going to {hook.destination}" if why == "destination" else WRONG[why], []).append(
                want.scope
            )
        for why, scopes in wrong.items():
            yield Finding(Severity.WARNING, "webhooks", f"{len(scopes)} {why}: {some(scopes)}", CALL_HOOKS)
        if todo.delete:
            what = f"{len(todo.delete)} of ours stale: {some([hook.scope for hook in todo.delete])}"
            yield Finding(Severity.NOTE, "webhooks", what, CALL_HOOKS)
        if not (todo.create or todo.repair):
            yield Finding(Severity.OK, "webhooks", f"all {len(wanted)} are registered and active")

    def receiver(self) -> Iterator[Finding]:
        """Does our own receiver answer at its public address? It takes nothing but POST, and says so."""
        if self._settings.webhook_url is None:
            return
        address = self._settings.webhook_url + path_of(self._name)
        advice = "Check that `celery -A sync serve` runs, and the proxy and the certificate in front of it."
        session = requests.Session()
        session.trust_env = False
        try:
            status = session.get(address, timeout=RECEIVER_S, allow_redirects=False).status_code
        except requests.RequestException as error:
            what = f"{address} cannot be reached from here ({type(error).__name__})"
            yield Finding(Severity.WARNING, "receiver", what, advice)
        else:
            if status == requests.codes.method_not_allowed:
                yield Finding(Severity.OK, "receiver", f"{address} answers")
            else:
                what = f"{address} answers {status} to a GET, where our receiver answers 405"
                yield Finding(Severity.WARNING, "receiver", what, advice)
        finally:
            session.close()


def tracking(products: Sequence[Product], total: int) -> Iterator[Finding]:
    """How the stock of products is tracked, and which of them cannot be kept."""
    kinds = Counter(str(product.inventory_tracking) for product in products)
    seen = ", ".join(f"{count} by {kind}" for kind, count in sorted(kinds.items()) if kind in ("product", "variant"))
    part = "" if len(products) >= total else f" of the first {len(products)} of {total} products"
    yield Finding(Severity.OK, "tracking", f"{seen or 'none'} are tracked{part}")
    untracked = [str(product) for product in products if product.inventory_tracking == "none"]
    if untracked:
        what = f"{len(untracked)} not tracked, and always for sale: {some(untracked)}"
        yield Finding(Severity.NOTE, "tracking", what, "Turn on inventory tracking for those that have stock.")
    whole = [
        str(product)
        for product in products
        if product.inventory_tracking == "product" and len(product.variants or ()) > 1
    ]
    if whole:
        what = f"{len(whole)} with variants, and tracked as one: {some(whole)}"
        advice = "Track them by variant, or each variant's SKU is unknown here."
        yield Finding(Severity.WARNING, "tracking", what, advice)
    rows = rows_of_products(products)
    if rows.problems:
        unread = [f"{problem.where} ({problem.reason})" for problem in rows.problems]
        what = f"{len(unread)} not understood: {some(unread)}"
        yield Finding(Severity.WARNING, "listings", what, "Mend them in the store's control panel.")
    refs: dict[str, list[str]] = {}
    for level in rows.levels:
        refs.setdefault(level.sku.strip().casefold(), []).append(level.ref)
    twins = [f"{sku} ({', '.join(same)})" for sku, same in refs.items() if len(same) > 1]
    if twins:
        what = f"{len(twins)} with more than one listing: {some(twins)}"
        yield Finding(
            Severity.ERROR,
            "duplicate SKUs",
            what,
            "Give each a SKU of its own; until then none of them is written.",
        )


def rules(found: StockRules) -> Iterator[Finding]:
    """What the store's settings make of an order."""
    about = "stock settings"
    if found.update_stock_behavior == "order_completed_or_shipped":
        what = "update_stock_behavior is order_completed_or_shipped: a sale takes no stock until it is shipped"
        advice = "Set it to when an order is placed, or units are sold twice meanwhile."
        yield Finding(Severity.ERROR, about, what, advice)
    if found.edit_order_stock_adjustment is False:
        what = "edit_order_stock_adjustment is off: an order that is edited moves no stock"
        yield Finding(Severity.WARNING, about, what, "Turn it on, or count what was edited by hand.")
    if found.refund_order_stock_adjustment is False:
        what = "refund_order_stock_adjustment is off: cancelled and refunded orders give no stock back"
        yield Finding(Severity.WARNING, about, what, "Turn it on, or put what comes back into stock by hand.")
    if found.update_stock_behavior == "order_placed" and found.edit_order_stock_adjustment is not False:
        yield Finding(Severity.OK, about, "stock is taken when an order is placed")


def places(locations: Sequence[Location], wanted: int, by_catalogue: bool) -> Iterator[Finding]:
    """Whether the location is there that we keep, and others beside it."""
    mine = next((location for location in locations if location.id == wanted), None)
    if mine is None:
        known = some([str(location) for location in locations])
        yield Finding(
            Severity.ERROR, "locations", f"there is no location {wanted}; there are: {known}", "Correct location_id."
        )
    elif not mine.enabled:
        what = f"{mine} is disabled, and its stock cannot be changed"
        yield Finding(Severity.ERROR, "locations", what, "Enable it, or set location_id to another.")
    else:
        yield Finding(Severity.OK, "locations", f"{mine} is kept")
    others = [str(location) for location in locations if location.enabled and location.id != wanted]
    if others:
        what = f"stock at {some(others)} is not kept"
        if by_catalogue:
            what += ", and the catalogue may add it to what it shows"
            yield Finding(Severity.WARNING, "locations", what, 'Set write = "inventory", which keeps one location.')
        else:
            yield Finding(Severity.NOTE, "locations", what)


def safety_stocks(items: Sequence[Item], *, by_catalogue: bool) -> Iterator[Finding]:
    """What the merchant keeps back from sale."""
    kept = [
        str(item.identity.sku or item.ref) for item in items if any(place.safety_stock > 0 for place in item.locations)
    ]
    if not kept:
        return
    what = f"{len(kept)} with one: {some(kept)}"
    if by_catalogue:
        what += "; whether the catalogue's level contains it is documented both ways"
        yield Finding(Severity.WARNING, "safety stock", what, 'Set it to 0, or set write = "inventory".')
    else:
        yield Finding(Severity.NOTE, "safety stock", what + "; levels are what can be sold, without it")
