"""The sandbox's control surface: JSON below ``/_sandbox``, for the demo and for tests from outside.

Every change answers with the levels of all listings, so that a script sees what it did.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response

from channels.bigcommerce.sandbox.answers import problem
from channels.bigcommerce.sandbox.store import OutOfStock, Store
from channels.sandbox import Fault, Faults


def control(store: Store, faults: Faults, requests: list[str]) -> Blueprint:
    """The routes below ``/_sandbox``.

    Parameters:
        store: The world that they change.
        faults: The trouble that they make.
        requests: The log of requests that they show.
    """
    routes = Blueprint("control", __name__)

    @routes.errorhandler(KeyError)
    @routes.errorhandler(TypeError)
    def not_understood(error: Exception) -> Response:
        return problem(422, f"not understood: {error!r}")

    @routes.errorhandler(OutOfStock)
    def out_of_stock(error: OutOfStock) -> Response:
        return problem(409, str(error))

    def levels() -> Response:
        return jsonify({"levels": store.levels()})

    @routes.get("/state")
    def state() -> Response:
        return jsonify(
            {
                "levels": store.levels(),
                "orders": [asdict(order) for order in store.orders.values()],
                "hooks": [asdict(hook) for hook in store.hooks.values()],
                "switches": asdict(store.switches),
                "quota": {"limit": store.quota.limit, "used": store.quota.used, "refused": store.quota.refused},
                "requests": len(requests),
            }
        )

    @routes.get("/requests")
    def log() -> Response:
        return jsonify(requests)

    @routes.delete("/requests")
    def forget() -> Response:
        requests.clear()
        return jsonify([])

    @routes.post("/seed")
    def seed() -> Response:
        for product in _body()["products"]:
            known = {name: product[name] for name in ("sku", "level", "tracking", "variants") if name in product}
            store.add_product(product.get("name") or product.get("sku", ""), **known)
        return levels()

    @routes.post("/sell")
    def sell() -> Response:
        body = _body()
        order = store.order(body["lines"] if "lines" in body else {body["sku"]: body.get("units", 1)})
        return jsonify({"order": order.id, "levels": store.levels()})

    @routes.post("/restock")
    def restock() -> Response:
        body = _body()
        store.restock(body["sku"], body["units"])
        return levels()

    @routes.post("/level")
    def level() -> Response:
        body = _body()
        store.set_level(body["sku"], body["level"])
        return levels()

    @routes.post("/safety_stock")
    def safety_stock() -> Response:
        body = _body()
        store.set_safety_stock(body["sku"], body["units"])
        return levels()

    @routes.post("/remove")
    def remove() -> Response:
        store.remove(_body()["sku"])
        return levels()

    @routes.post("/rename")
    def rename() -> Response:
        body = _body()
        store.rename(body["sku"], body["new"])
        return levels()

    @routes.post("/order_status")
    def order_status() -> Response:
        body = _body()
        store.set_status(body["order"], body["status_id"])
        return levels()

    @routes.post("/switches")
    def switches() -> Response:
        names = {field.name for field in fields(store.switches)}
        for name, value in _body().items():
            if name not in names:
                raise KeyError(name)
            setattr(store.switches, name, value)
        return jsonify(asdict(store.switches))

    @routes.post("/scopes")
    def scopes() -> Response:
        store.scopes = set(_body()["scopes"])
        return jsonify(sorted(store.scopes))

    @routes.post("/quota")
    def quota() -> Response:
        for name, value in _body().items():
            if name not in ("limit", "window_s", "headers", "retry_after_s"):
                raise KeyError(name)
            setattr(store.quota, name, value)
        return jsonify({"limit": store.quota.limit, "window_s": store.quota.window_s})

    @routes.post("/spend")
    def spend() -> Response:
        store.quota.spend(_body()["calls"])
        return jsonify({"used": store.quota.used})

    @routes.post("/faults")
    def add_fault() -> Response:
        faults.add(Fault(**_body()))
        return jsonify({})

    @routes.delete("/faults")
    def clear_faults() -> Response:
        faults.clear()
        return jsonify({})

    @routes.post("/settle")
    def settle() -> Response:
        store.settle()
        return levels()

    @routes.post("/reset")
    def reset() -> Response:
        store.reset()
        faults.clear()
        requests.clear()
        return levels()

    return routes


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise TypeError("a JSON object is needed")
    return body
