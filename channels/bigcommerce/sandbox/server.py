"""The sandbox over HTTP: who may call, how often, and what answers."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from wsgiref.handlers import format_date_time

from flask import Flask, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from channels.bigcommerce.sandbox.answers import error_for, problem, unauthorized, v2_error
from channels.bigcommerce.sandbox.catalog import catalog
from channels.bigcommerce.sandbox.control import control
from channels.bigcommerce.sandbox.hooks import hooks
from channels.bigcommerce.sandbox.inventory import inventory
from channels.bigcommerce.sandbox.orders import orders, settings
from channels.bigcommerce.sandbox.store import Store
from channels.bigcommerce.sandbox.webhooks import Deliveries
from channels.sandbox import Faults, Troubled, served

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: The scope that each part of the API needs, the narrower parts first; webhooks need none.
SCOPES = {
    "/v3/catalog/": "store_v2_products",
    "/v3/inventory/locations$": "store_locations",
    "/v3/inventory/": "store_inventory",
    "/v3/settings/": "store_v2_information",
    "/v2/orders": "store_v2_orders",
}


class BigCommerceSandbox:
    """One store behind a stand-in for BigCommerce's API.

    Example::

        sandbox = BigCommerceSandbox(Store(quota=None))
        sandbox.store.add("MUG-RED", 12)
        with sandbox.serve() as url:
            channel = BigCommerceChannel("store", BigCommerceSettings(**sandbox.settings(url)))

    Parameters:
        store: The world to serve; an empty one where there is none.
    """

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or Store()
        self.faults = Faults()
        self.deliveries = Deliveries(self.store)
        self.app = Troubled(_one_at_a_time(self._flask(), self.store), self.faults, error_for)

    @property
    def requests(self) -> list[str]:
        """``METHOD /path?query`` of every request so far, those with trouble among them."""
        return self.app.requests

    @contextmanager
    def serve(self, port: int = 0, host: str = "127.0.0.1", *, deliver: bool = True) -> Iterator[str]:
        """Serve, and deliver webhooks, from threads while the block runs; gives the base URL.

        Parameters:
            port: 0: any free one.
            host: Where to listen.
            deliver: ``False`` leaves it to calls of ``deliveries.deliver()``.
        """
        with self.deliveries.running() if deliver else nullcontext(), served(self.app, port, host) as url:
            yield url

    def settings(self, url: str) -> dict[str, str]:
        """The table of a settings file that points at this sandbox."""
        return {
            "type": "bigcommerce",
            "api_url": url,
            "store_hash": self.store.store_hash,
            "access_token": self.store.token,
            "client_id": self.store.client_id,
            "client_secret": self.store.client_secret,
        }

    def reset(self) -> None:
        """Back to an empty store without trouble."""
        self.store.reset()
        self.deliveries.clear()
        self.faults.clear()
        self.requests.clear()

    def _flask(self) -> Flask:
        app = Flask(__name__)
        prefix = f"/stores/{self.store.store_hash}"
        app.register_blueprint(catalog(self.store), url_prefix=f"{prefix}/v3/catalog")
        app.register_blueprint(inventory(self.store), url_prefix=f"{prefix}/v3/inventory")
        app.register_blueprint(settings(self.store), url_prefix=f"{prefix}/v3/settings")
        app.register_blueprint(hooks(self.store), url_prefix=f"{prefix}/v3/hooks")
        app.register_blueprint(orders(self.store), url_prefix=f"{prefix}/v2/orders")
        app.register_blueprint(control(self), url_prefix="/_sandbox")
        app.before_request(self._admit)
        app.after_request(self._tell)
        app.register_error_handler(HTTPException, _as_bigcommerce_words_it)
        app.register_error_handler(ValueError, lambda error: problem(422, str(error)))
        return app

    def _admit(self) -> Response | None:
        """Who may call what, and how often."""
        if request.path.startswith("/_sandbox"):
            return None
        store, prefix = self.store, f"/stores/{self.store.store_hash}"
        store.catch_up()
        token = request.headers.get("X-Auth-Token", "")
        if not request.path.startswith(f"{prefix}/") or not hmac.compare_digest(token.encode(), store.token.encode()):
            return unauthorized()
        allowed, g.told = store.quota.take()
        if not allowed:
            return problem(429)
        return None if _has_scope(store, request.path.removeprefix(prefix)) else problem(403)

    def _tell(self, response: Any) -> Any:
        """What every answer tells: the quota, and the time by the store's clock."""
        response.headers.update(g.get("told", {}))
        response.headers["Date"] = format_date_time(self.store.clock() + self.store.switches.clock_ahead_s)
        return response


def _as_bigcommerce_words_it(error: HTTPException) -> Any:
    if error.response is not None:
        return error.response
    return v2_error(error.code or 500) if "/v2/" in request.path else problem(error.code or 500, error.name)


def _has_scope(store: Store, path: str) -> bool:
    for part, scope in SCOPES.items():
        if re.match(part, path):
            twins = {scope, f"{scope}_read_only"} if request.method == "GET" else {scope}
            return bool(twins & store.scopes)
    return True


def _one_at_a_time(app: WSGIApplication, store: Store) -> WSGIApplication:
    """Each request is one step of the world."""

    def locked(environ: Any, start_response: Any) -> Any:
        with store.lock:
            return app(environ, start_response)

    return locked
