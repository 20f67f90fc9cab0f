"""The mock as one HTTP server: the API, Login with Amazon and the control surface, behind one door."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from flask import Flask, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter
from werkzeug.wrappers import Response

from channels.amazon.limits import limit_for
from channels.amazon.sandbox import (
    auth,
    control,
    documents,
    fba,
    feeds,
    listings,
    notifications,
    orders,
    reports,
    sellers,
)
from channels.amazon.sandbox.account import Account
from channels.amazon.sandbox.buckets import Buckets
from channels.amazon.sandbox.wire import Refused, error
from channels.sandbox import Faults, Troubled, served


class Call(NamedTuple):
    """One request that got an answer of the mock's own (not one of a fault's)."""

    #: The operation as :mod:`channels.amazon.limits` calls it, or ``METHOD /path`` where it knows none.
    operation: str
    #: The path as it was sent, with its query.
    path: str
    #: Header names in lower case.
    headers: dict[str, str]
    status: int


class Rest(BaseConverter):
    """All that is left of a path, be it empty parts or leading slashes."""

    regex = ".+"
    part_isolating = False


class AmazonSandbox:
    """One seller account behind a mock of the Selling Partner API.

    Example::

        sandbox = AmazonSandbox(rate_scale=None)
        sandbox.account.put("MUG-RED", 12)
        with sandbox.serve() as url:
            channel = AmazonChannel("amazon", AmazonSettings(**sandbox.settings(url)))

    Parameters:
        clock: The time in seconds since 1970; tests give one of their own.
        visible_after_s: How long a submitted quantity takes to have its effect.
        rate_scale: By how much the rates are faster than Amazon documents; ``None``: no limits.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        visible_after_s: float = 0.0,
        rate_scale: float | None = 1.0,
        seller_id: str = "A1SANDBOXSELLR",
        marketplace_id: str = "ATVPDKIKX0DER",
        client_id: str = "amzn1.application-oa2-client.sandbox",
        client_secret: str = "sandbox-secret",
        refresh_token: str = "Atzr|sandbox-refresh",
    ) -> None:
        self.account = Account(seller_id, marketplace_id, clock, visible_after_s)
        self.gate = auth.Gate(clock, client_id=client_id, client_secret=client_secret, refresh_token=refresh_token)
        self.buckets = Buckets(clock, rate_scale)
        self.documents = documents.Documents(clock)
        self.feeds = feeds.Feeds(self.account, self.documents)
        self.notifications = notifications.Notifications(self.account)
        self.reports = reports.Reports(self.account, self.documents)
        self.faults = Faults()
        self._calls: list[Call] = []
        self._lock = threading.Lock()
        self.app = Troubled(self._flask(), self.faults, error)

    @property
    def calls(self) -> list[Call]:
        """The calls so far, tokens and the control surface aside, oldest first."""
        with self._lock:
            return list(self._calls)

    @property
    def requests(self) -> list[str]:
        """``METHOD /path?query`` of every request so far, those with trouble among them."""
        return self.app.requests

    def serve(self, port: int = 0, host: str = "127.0.0.1") -> AbstractContextManager[str]:
        """Serve from a thread while the block runs; gives the base URL."""
        return served(self.app, port, host)

    def settings(self, url: str) -> dict[str, str]:
        """The table of a settings file that points at this sandbox."""
        return {
            "type": "amazon",
            "api_url": url,
            "auth_url": url + auth.PATH,
            "seller_id": self.account.seller_id,
            "marketplace_id": self.account.marketplace_id,
            "client_id": self.gate.client_id,
            "client_secret": self.gate.client_secret,
            "refresh_token": self.gate.refresh_token,
        }

    def queue_settings(self, url: str) -> dict[str, str]:
        """What the table needs beside, for the queue of notifications. They are sent from now on."""
        self.notifications.copies = max(1, self.notifications.copies)
        key = {"aws_access_key_id": "AKIASANDBOX", "aws_secret_access_key": "sandbox"}
        return {"queue_url": url + notifications.QUEUE} | key

    def forget_calls(self) -> None:
        """Empty the logs of requests."""
        with self._lock:
            self._calls.clear()
            self.app.requests.clear()

    def reset(self) -> None:
        """Back to an empty account without trouble; tokens stay valid, buckets are full."""
        self.feeds.clear()
        self.account.clear()
        self.notifications.clear()
        self.faults.clear()
        self.buckets.refill()
        self.forget_calls()

    def _flask(self) -> Flask:
        app = Flask(__name__)
        app.url_map.converters["rest"] = Rest
        app.url_map.merge_slashes = False
        app.register_blueprint(auth.blueprint(self.gate))
        app.register_blueprint(listings.blueprint(self.account))
        app.register_blueprint(orders.blueprint(self.account))
        app.register_blueprint(fba.blueprint(self.account))
        app.register_blueprint(sellers.blueprint(self.account))
        app.register_blueprint(feeds.blueprint(self.account, self.feeds, self.documents))
        app.register_blueprint(reports.blueprint(self.account, self.reports, self.documents))
        app.register_blueprint(documents.blueprint(self.documents))
        app.register_blueprint(notifications.blueprint(self.notifications))
        app.register_blueprint(control.blueprint(self))
        app.before_request(self._admit)
        app.after_request(self._finish)
        app.register_error_handler(HTTPException, _as_amazon_words_it)
        return app

    def _admit(self) -> Response | None:
        if not self._is_api():
            return None
        self.gate.check(request.headers.get("x-amz-access-token"))
        limit = limit_for(request.method, _sent_path())
        if limit is not None and not self.buckets.take(limit):
            return error(429)
        return None

    def _finish(self, response: Response) -> Response:
        if not self._is_api():
            return response
        response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
        limit = limit_for(request.method, _sent_path())
        if limit is not None and self.buckets.scale is not None and response.status_code < 403:
            response.headers["x-amzn-RateLimit-Limit"] = f"{self.buckets.rate(limit):g}"
        headers = {name.lower(): value for name, value in request.headers.items()}
        operation = limit.operation if limit else f"{request.method} {request.path}"
        with self._lock:
            self._calls.append(Call(operation, request.environ["REQUEST_URI"], headers, response.status_code))
        return response

    def _is_api(self) -> bool:
        elsewhere = request.path.startswith((control.PREFIX, auth.PATH, documents.PREFIX))
        return not elsewhere and request.path != "/"


def _sent_path() -> str:
    return str(request.environ["REQUEST_URI"]).partition("?")[0]


def _as_amazon_words_it(problem: HTTPException) -> Response:
    if isinstance(problem, Refused):
        return problem.answer
    return error(problem.code or 500, problem.description or "")
