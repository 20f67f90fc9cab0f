"""The sandbox over HTTP: who may call, how often, and what answers."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Flask, g, jsonify, request
from werkzeug.wrappers import Response

from channels.bigcommerce.sandbox.answers import (
    envelope,
    error_for,
    only,
    problem,
    unauthorized,
    v2_error,
)
from channels.bigcommerce.sandbox.catalog import catalog
from channels.bigcommerce.sandbox.control import control
from channels.bigcommerce.sandbox.hooks import hooks
from channels.bigcommerce.sandbox.inventory import inventory
from channels.bigcommerce.sandbox.orders import orders
from channels.bigcommerce.sandbox.store import Store
from channels.sandbox import Faults, Troubled, served

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: The scope that each part of the API needs; webhooks need none.
SCOPES = {
    "/v3/catalog/": "store_v2_products",
    "/v3/inventory/": "store_inventory",
    "/v3/settings/": "store_v2_information",
    "/v2/orders": "store_v2_orders",
    "/v2/time": "store_v2_information",
}


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox."""

    url: str
    store: Store
    faults: Faults
    #: ``METHOD /path?query`` of every request so far.
    requests: list[str]


@contextmanager
def sandbox(store: Store | None = None, *, port: int = 0, host: str = "127.0.0.1") -> Iterator[Sandbox]:
    """Run a store over HTTP while the block runs.

    Parameters:
        store: The world to serve; an empty one where there is none.
        port: 0: any free one.
        host: Where to listen.
    """
    world = store or Store()
    app = create_app(world)
    with served(app, port, host) as url:
        yield Sandbox(url, world, app.faults, app.requests)


def create_app(store: Store) -> Troubled:
    """The WSGI application of one store, with trouble to order in front of it."""
    faults = Faults()
    app = Flask("bigcommerce-sandbox")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    prefix = f"/stores/{store.store_hash}"
    troubled = Troubled(_one_at_a_time(app.wsgi_app, store), faults, error_for)
    app.register_blueprint(catalog(store), url_prefix=f"{prefix}/v3/catalog")
    app.register_blueprint(inventory(store), url_prefix=f"{prefix}/v3/inventory")
    app.register_blueprint(hooks(store), url_prefix=f"{prefix}/v3/hooks")
    app.register_blueprint(orders(store), url_prefix=f"{prefix}/v2/orders")
    app.register_blueprint(control(store, faults, troubled.requests), url_prefix="/_sandbox")

    @app.before_request
    def may_they() -> Response | None:
        if request.path.startswith("/_sandbox"):
            return None
        store.catch_up()
        token = request.headers.get("X-Auth-Token", "")
        if not request.path.startswith(f"{prefix}/") or not hmac.compare_digest(token.encode(), store.token.encode()):
            return unauthorized()
        allowed, g.told = store.quota.take()
        if not allowed:
            return problem(429)
        return None if _has_scope(store, request.path.removeprefix(prefix)) else problem(403)

    @app.after_request
    def tell_of_the_quota(response: Any) -> Any:
        response.headers.update(g.get("told", {}))
        return response

    @app.errorhandler(404)
    @app.errorhandler(405)
    def not_here(error: Any) -> Response:
        is_v2 = request.path.startswith(f"{prefix}/v2")
        return v2_error(error.code) if is_v2 else problem(error.code, error.name)

    @app.errorhandler(ValueError)
    def not_understood(error: ValueError) -> Response:
        return problem(422, str(error))

    @app.get(f"{prefix}/v3/settings/inventory")
    def settings() -> Response:
        only(request, "channel_id")
        names = ("update_stock_behavior", "refund_order_stock_adjustment")
        rules = {name: getattr(store.switches, name) for name in names}
        return jsonify(envelope({**rules, "edit_order_stock_adjustment": True}))

    @app.get(f"{prefix}/v2/time")
    def now() -> Response:
        return jsonify({"time": int(store.clock())})

    return troubled


def _has_scope(store: Store, path: str) -> bool:
    for part, scope in SCOPES.items():
        if path.startswith(part):
            twins = {scope, f"{scope}_read_only"} if request.method == "GET" else {scope}
            return bool(twins & store.scopes)
    return True


def _one_at_a_time(app: Callable[..., Any], store: Store) -> WSGIApplication:
    """Each request is one step of the world."""

    def locked(environ: Any, start_response: Any) -> Any:
        with store.lock:
            return app(environ, start_response)

    return locked
