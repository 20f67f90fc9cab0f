"""The sandbox's control surface: JSON below ``/_sandbox``, for the demo and for tests from outside.

Neither a token nor a quota stands in its way, and its requests are not in the log.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response

from channels.bigcommerce.sandbox.answers import problem
from channels.bigcommerce.sandbox.store import OutOfStock, Store
from channels.sandbox import Fault

if TYPE_CHECKING:
    from channels.bigcommerce.sandbox.server import BigCommerceSandbox

#: What of the quota can be changed.
QUOTA = ("limit", "window_s", "headers", "retry_after_s")


def control(sandbox: BigCommerceSandbox) -> Blueprint:
    """The routes, over one sandbox."""
    routes = Blueprint("control", __name__)
    store = sandbox.store
    routes.register_error_handler(OutOfStock, lambda error: problem(409, str(error)))
    routes.register_error_handler(KeyError, lambda error: problem(422, f"unknown or missing: {error}"))
    routes.register_error_handler(TypeError, lambda error: problem(422, str(error)))

    @routes.post("/seed")
    def seed() -> Response:
        """``{"listings": [...]}``.

        Each is ``{"sku", "units", "tracking"?, "name"?}``, or a product whose variants count:
        ``{"name", "variants": {sku: units}}``.
        """
        for row in _body()["listings"]:
            if "variants" in row:
                store.add_product(row["name"], tracking="variant", variants=row["variants"])
            else:
                store.add(row["sku"], row["units"], tracking=row.get("tracking", "product"), name=row.get("name", ""))
        return jsonify({"listings": len(store.levels())})

    @routes.post("/sell")
    def sell() -> Response:
        """``{"sku", "units"}``, or ``{"lines": {sku: units}}`` for one order of many; a 409 where fewer are shown."""
        body = _body()
        order = store.order(body["lines"] if "lines" in body else {body["sku"]: body["units"]})
        return jsonify({"order": order.id})

    @routes.post("/order")
    def order() -> Response:
        """``{"order", "status"}`` with a status id: 5 cancels, 2 ships, 4 refunds."""
        body = _body()
        store.set_status(int(body["order"]), body["status"])
        return jsonify({})

    @routes.post("/restock")
    def restock() -> Response:
        """``{"sku", "units"}``: so many more."""
        body = _body()
        store.restock(body["sku"], body["units"])
        return jsonify({"units": store.level(body["sku"])})

    @routes.post("/set")
    def set_units() -> Response:
        """``{"sku", "units"}``: counted anew in the control panel."""
        body = _body()
        store.set_level(body["sku"], body["units"])
        return jsonify({"units": store.level(body["sku"])})

    @routes.post("/safety_stock")
    def safety_stock() -> Response:
        """``{"sku", "units"}``: kept back from sale."""
        body = _body()
        store.set_safety_stock(body["sku"], body["units"])
        return jsonify({"units": store.level(body["sku"])})

    @routes.post("/remove")
    def remove() -> Response:
        """``{"sku"}``."""
        store.remove(_body()["sku"])
        return jsonify({})

    @routes.post("/rename")
    def rename() -> Response:
        """``{"sku", "new"}``."""
        body = _body()
        store.rename(body["sku"], body["new"])
        return jsonify({})

    @routes.post("/options")
    def options() -> Response:
        """Any of the switches of :class:`channels.bigcommerce.sandbox.world.Switches`."""
        known = {field.name for field in fields(store.switches)}
        for name, value in _body().items():
            if name not in known:
                raise KeyError(name)
            setattr(store.switches, name, value)
        return jsonify(asdict(store.switches))

    @routes.post("/scopes")
    def scopes() -> Response:
        """``{"scopes": [...]}``: those of the API account, from now on."""
        store.scopes = set(_body()["scopes"])
        return jsonify({})

    @routes.post("/quota")
    def quota() -> Response:
        """Any of ``limit`` (null: unlimited), ``window_s``, ``headers``, ``retry_after_s``."""
        for name, value in _body().items():
            if name not in QUOTA:
                raise KeyError(name)
            setattr(store.quota, name, value)
        return jsonify({name: getattr(store.quota, name) for name in QUOTA})

    @routes.post("/spend")
    def spend() -> Response:
        """``{"calls"}``: made by another app of the same store."""
        store.quota.spend(_body()["calls"])
        return jsonify({"used": store.quota.used})

    @routes.post("/settle")
    def settle() -> Response:
        """Let all delays have passed."""
        store.settle()
        return jsonify({})

    @routes.get("/inspect")
    def inspect() -> Response:
        """The store as it truly stands."""
        return jsonify(picture(store))

    @routes.get("/deliveries")
    def deliveries() -> Response:
        """Every attempt to deliver a webhook so far, and how many are on their way."""
        attempts = [
            {"scope": scope, "hook": hook, "status": status} for scope, hook, status in sandbox.deliveries.attempts
        ]
        return jsonify({"attempts": attempts, "waiting": sandbox.deliveries.waiting})

    @routes.post("/faults")
    def make_trouble() -> Response:
        """A :class:`channels.sandbox.Fault`."""
        sandbox.faults.add(Fault(**_body()))
        return jsonify({})

    @routes.delete("/faults")
    def end_trouble() -> Response:
        """No more of it."""
        sandbox.faults.clear()
        return jsonify({})

    @routes.get("/requests")
    def requests() -> Response:
        """``METHOD /path?query`` of every request so far."""
        return jsonify(sandbox.requests)

    @routes.delete("/requests")
    def forget_requests() -> Response:
        """Begin the log anew."""
        sandbox.requests.clear()
        return jsonify({})

    @routes.post("/reset")
    def reset() -> Response:
        """An empty store without trouble."""
        sandbox.reset()
        return jsonify({})

    return routes


def picture(store: Store) -> dict[str, Any]:
    """A store as it truly stands."""
    quota = store.quota
    return {
        "listings": [{"sku": sku, "units": units} for sku, units in store.levels().items()],
        "orders": [asdict(order) for order in store.orders.values()],
        "hooks": [asdict(hook) for hook in store.hooks.values()],
        "switches": asdict(store.switches),
        "quota": {"limit": quota.limit, "used": quota.used, "refused": quota.refused},
    }


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise TypeError("the body must be a JSON object")
    return body
