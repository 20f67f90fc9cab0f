"""Our webhooks at the store: which there should be, which there are, and what makes the one from the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from channels.bigcommerce.client import BigCommerceClient
from channels.bigcommerce.models import Id, Page, Payload
from channels.bigcommerce.settings import BigCommerceSettings
from channels.bigcommerce.webhooks import SECRET_HEADER, secret_header
from channels.errors import Rejected
from channels.webhooks import Ensured

PATH = "/v3/hooks"

#: The hooks that are asked for on one page; the most that there may be is not documented.
PAGE = 250

#: What every way of writing needs to hear of: levels, listings that come, change and go, and orders.
SCOPES = (
    "store/product/inventory/updated",
    "store/product/inventory/order/updated",
    "store/sku/inventory/updated",
    "store/sku/inventory/order/updated",
    "store/product/created",
    "store/product/updated",
    "store/product/deleted",
    "store/sku/created",
    "store/sku/updated",
    "store/sku/deleted",
    "store/order/created",
    "store/order/statusUpdated",
)

#: What only the Inventory API's levels depend on: stock and safety stock of other locations than the default one.
LOCATION_SCOPES = (
    "store/channel/*/inventory/product/stock_changed",
    "store/channel/*/inventory/product/settings_changed",
)


class Hook(Payload):
    """A hook of our API account. Other programs of the same account may have hooks there too."""

    id: Id
    scope: str
    destination: str
    headers: Mapping[str, str] | None = None
    is_active: bool


class Wanted(NamedTuple):
    """A hook that should be there."""

    scope: str
    destination: str
    headers: Mapping[str, str]

    @property
    def body(self) -> dict[str, object]:
        """What creates it, or puts it right again."""
        return {
            "scope": self.scope,
            "destination": self.destination,
            "headers": dict(self.headers),
            "is_active": True,
        }


class Plan(NamedTuple):
    """What has to be done so that our hooks are as they should be."""

    create: Sequence[Wanted]
    #: Hooks to be put right, and what is wrong with them.
    repair: Sequence[tuple[Hook, Wanted, str]]
    delete: Sequence[Hook]


def wanted_hooks(name: str, settings: BigCommerceSettings) -> list[Wanted]:
    """The hooks that a channel should have; none without a ``webhook_url``."""
    if settings.webhook_url is None or settings.client_secret is None:
        return []
    headers = {SECRET_HEADER: secret_header(settings.client_secret, settings.store_hash)}
    scopes = SCOPES if settings.write == "catalog" else SCOPES + LOCATION_SCOPES
    return [Wanted(scope, settings.webhook_url + path_of(name), headers) for scope in scopes]


def path_of(name: str) -> str:
    """Where the events of a channel are received, below the public address."""
    return f"/webhooks/{quote(name, safe='')}"


def plan(name: str, wanted: Sequence[Wanted], existing: Iterable[Hook]) -> Plan:
    """Compare what should be there with what is there. Hooks of others are never part of it.

    Ours is a hook that delivers to our address, or that carries our header to an address of this channel's path: it
    was made when ``webhook_url`` was another.
    """
    destinations = {hook.destination for hook in wanted}
    ours = sorted((hook for hook in existing if _is_ours(name, hook, destinations)), key=_by_age)
    create: list[Wanted] = []
    repair: list[tuple[Hook, Wanted, str]] = []
    kept: set[int] = set()
    for want in wanted:
        same = [hook for hook in ours if hook.scope == want.scope]
        hook = next((hook for hook in same if hook.destination == want.destination), same[0] if same else None)
        if hook is None:
            create.append(want)
            continue
        kept.add(hook.id)
        wrong = _wrong_with(hook, want)
        if wrong:
            repair.append((hook, want, wrong))
    return Plan(create, repair, [hook for hook in ours if hook.id not in kept])


def _is_ours(name: str, hook: Hook, destinations: set[str]) -> bool:
    names = {header.lower() for header in hook.headers or ()}
    marked = SECRET_HEADER.lower() in names and hook.destination.endswith(path_of(name))
    return marked or hook.destination in destinations


def _by_age(hook: Hook) -> int:
    return hook.id


def _wrong_with(hook: Hook, want: Wanted) -> str:
    """What is wrong with a hook; an inactive one counts before all else, because events were missed."""
    if not hook.is_active:
        return "inactive"
    if hook.destination != want.destination:
        return "destination"
    given = {name.lower(): value for name, value in (hook.headers or {}).items()}
    right = {name.lower(): value for name, value in want.headers.items()}
    return "" if right.items() <= given.items() else "headers"


def ensure(client: BigCommerceClient, name: str, settings: BigCommerceSettings) -> Ensured:
    """Bring our hooks at the store to what they should be. Safe to repeat, and by several processes at once.

    Raises:
        channels.errors.ChannelError: the store cannot be asked; what it refuses of a single hook is told instead.
    """
    todo = plan(name, wanted_hooks(name, settings), existing_hooks(client))
    done = Ensured()
    for hook, want, wrong in todo.repair:
        if _done(client, done, want.scope, "PUT", f"{PATH}/{hook.id}", want.body):
            (done.rearmed if wrong == "inactive" else done.repaired).append(want.scope)
    # What is stale goes before what is new: there are at most ten hooks for each scope.
    for hook in todo.delete:
        if _done(client, done, hook.scope, "DELETE", f"{PATH}/{hook.id}"):
            done.deleted.append(hook.scope)
    for want in todo.create:
        if _done(client, done, want.scope, "POST", PATH, want.body):
            done.created.append(want.scope)
    return done


def _done(client: BigCommerceClient, done: Ensured, scope: str, method: str, path: str, body: object = None) -> bool:
    try:
        client.call(f"{method} hook", method, path, json=body)
    except Rejected as error:
        # Two processes at once: the other one was first to create (409) or to delete (404).
        if (method, error.status) not in (("POST", 409), ("DELETE", 404)):
            done.problems.append(f"{scope}: {error.reason}")
        return False
    return True


def existing_hooks(client: BigCommerceClient) -> list[Hook]:
    """All hooks of our API account."""
    hooks: list[Hook] = []
    number, last = 0, False
    while not last:
        number += 1
        page = client.fetch("read hooks", PATH, {"limit": PAGE, "page": number}, Page[Hook])
        hooks += page.data
        last = page.meta.pagination.is_last(number, PAGE) or not page.data
    return hooks
