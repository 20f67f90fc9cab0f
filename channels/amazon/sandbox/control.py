"""The control surface of the mock below ``/_sandbox/``: seed a catalogue, sell, restock, look inside, make trouble.

All bodies are JSON objects. What Python code can do through :class:`Account` is here for those outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from channels.amazon.models import MERCHANT
from channels.amazon.sandbox.account import ORDER_STATUSES, Account, SoldOut, iso
from channels.amazon.sandbox.wire import answer
from channels.sandbox import Fault

if TYPE_CHECKING:
    from channels.amazon.sandbox.server import AmazonSandbox

PREFIX = "/_sandbox/"


def blueprint(sandbox: AmazonSandbox) -> Blueprint:
    """The routes, over one sandbox."""
    routes = Blueprint("control", __name__, url_prefix=PREFIX.rstrip("/"))
    account = sandbox.account

    @routes.post("/seed")
    def seed() -> Response:
        """``{"listings": [{"sku", "units", "network"?, "title"?}]}``; ``AMAZON_NA`` for one that Amazon fulfils."""
        for row in _body()["listings"]:
            account.put(row["sku"], row["units"], network=row.get("network", MERCHANT), title=row.get("title", ""))
        return answer({"listings": len(account.listings())})

    @routes.post("/sell")
    def sell() -> Response:
        """``{"sku", "units"}``; a 409 where fewer are shown."""
        body = _body()
        return answer({"order": account.sell(body["sku"], body["units"])})

    @routes.post("/order")
    def order() -> Response:
        """``{"order", "status"}`` with ``UNSHIPPED``, ``SHIPPED`` or ``CANCELLED``, which gives the stock back."""
        body = _body()
        if body["status"] not in ORDER_STATUSES:
            raise TypeError(f"status must be one of {', '.join(ORDER_STATUSES)}")
        account.advance(body["order"], body["status"])
        return answer({})

    @routes.post("/restock")
    def restock() -> Response:
        """``{"sku", "units"}``: so many more."""
        body = _body()
        account.restock(body["sku"], body["units"])
        return answer({"units": account.shown(body["sku"])})

    @routes.post("/set")
    def set_units() -> Response:
        """``{"sku", "units"}``: counted anew by the seller."""
        body = _body()
        account.count(body["sku"], body["units"])
        return answer({"units": account.shown(body["sku"])})

    @routes.post("/refuse")
    def refuse() -> Response:
        """``{"sku", "message"?}``: answer its submissions with INVALID."""
        body = _body()
        account.refuse(body["sku"], message=body.get("message", "'Item Name' is required but missing."))
        return answer({})

    @routes.post("/lose")
    def lose() -> Response:
        """``{"sku", "times"?}``: accept its submissions and never show them."""
        body = _body()
        account.lose(body["sku"], body.get("times"))
        return answer({})

    @routes.post("/relent")
    def relent() -> Response:
        """``{"sku"}``: neither refuse nor lose its submissions any more."""
        account.relent(_body()["sku"])
        return answer({})

    @routes.post("/options")
    def options() -> Response:
        """How the mock behaves, by any of these names.

        ``visible_after_s``, ``rate_scale`` (null: no limits), ``token_lives_s``, ``report_takes_s``, ``feed_takes_s``,
        ``stock_touches_date`` (whether a sale counts as a change of its listing), and ``notifications``: how many
        copies of each are put into the queue (0: none).
        """
        body = _body()
        account.visible_after_s = body.get("visible_after_s", account.visible_after_s)
        account.stock_touches_date = body.get("stock_touches_date", account.stock_touches_date)
        sandbox.buckets.scale = body.get("rate_scale", sandbox.buckets.scale)
        sandbox.reports.takes_s = body.get("report_takes_s", sandbox.reports.takes_s)
        sandbox.feeds.takes_s = body.get("feed_takes_s", sandbox.feeds.takes_s)
        sandbox.notifications.copies = body.get("notifications", sandbox.notifications.copies)
        sandbox.gate.lives_s = body.get("token_lives_s", sandbox.gate.lives_s)
        return answer({})

    @routes.get("/inspect")
    def inspect() -> Response:
        """Every listing and every order as they truly stand."""
        return answer(picture(account))

    @routes.post("/faults")
    def make_trouble() -> Response:
        """The fields of :class:`channels.sandbox.Fault`."""
        sandbox.faults.add(Fault(**_body()))
        return answer({})

    @routes.delete("/faults")
    def end_trouble() -> Response:
        """Make no more trouble."""
        sandbox.faults.clear()
        return answer({})

    @routes.get("/requests")
    def requests() -> Response:
        """``METHOD /path?query`` of every request so far."""
        return answer({"requests": sandbox.requests})

    @routes.delete("/requests")
    def forget_requests() -> Response:
        """Empty the log of requests."""
        sandbox.forget_calls()
        return answer({})

    @routes.post("/reset")
    def reset() -> Response:
        """Back to an empty account without trouble."""
        sandbox.reset()
        return answer({})

    @routes.errorhandler(SoldOut)
    def sold_out(problem: SoldOut) -> Response:
        return answer({"error": str(problem)}, 409)

    @routes.errorhandler(KeyError)
    def unknown(problem: KeyError) -> Response:
        return answer({"error": f"unknown or missing: {problem.args[0]}"}, 404)

    @routes.errorhandler(TypeError)
    def wrong(problem: TypeError) -> Response:
        return answer({"error": str(problem)}, 400)

    @routes.errorhandler(HTTPException)
    def refused(problem: HTTPException) -> Response:
        return answer({"error": problem.description}, problem.code or 400)

    return routes


def picture(account: Account) -> dict[str, Any]:
    """An account as it truly stands."""
    return {
        "listings": [
            {
                "sku": listing.sku,
                "units": account.shown(listing.sku),
                "stock": listing.stock,
                "coming": [{"units": units, "at": iso(at)} for at, units in listing.coming],
            }
            for listing in account.listings()
        ],
        "orders": [
            {
                "order": order.number,
                "sku": line.sku,
                "units": line.units,
                "status": order.status,
                "at": iso(order.created_at),
            }
            for order in account.orders()
            for line in order.lines
        ],
    }


def _body() -> dict[str, Any]:
    body = request.get_json()
    if not isinstance(body, dict):
        raise TypeError("the body must be a JSON object")
    return body
