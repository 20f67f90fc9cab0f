"""The application: which address is answered by whom, and how requests that nobody answers are told so."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import redis
from flask import Flask, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from channels.webhooks import BODY_LIMIT
from sync.bells import Bells
from sync.telemetry import logs, sentry
from sync.web.broker import Broker
from sync.web.metrics import exposition
from sync.web.probes import probes
from sync.web.receiver import PATH, Receiver, nothing

if TYPE_CHECKING:
    from sync.celery import SyncApp

#: Seconds to wait for an answer of the store or the broker. A request is repeated by its sender, so that it is better
#: refused soon than held.
PATIENCE_S = 1.5

#: How often stores that have installed the app are looked for, in seconds.
KEEP_UP_S = 1.0

#: What requests are counted as that no route takes, by their status.
NOT_TAKEN = {404: "unknown", 405: "method", 413: "oversized"}


def ready_for_requests(celery: SyncApp) -> SyncApp:
    """Give this process the patience of a receiver, not that of a worker.

    Raises:
        sync.errors.SyncError: the settings are wrong, or the embedded store does not start.
    """
    options = {"socket_timeout": PATIENCE_S, "socket_connect_timeout": PATIENCE_S}
    retries = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
    celery.conf.broker_transport_options = {**celery.conf.broker_transport_options, **options, **retries}
    celery.conf.task_publish_retry_policy = retries
    celery.context.store = celery.context.open_store(timeout_s=PATIENCE_S)
    logs.configure(celery.context, "INFO")
    sentry.configure(celery.context, {})
    for name, channel in celery.context.channels.items():
        if channel.capabilities.hooks:  # at the first start there are none, and later ones may be of another address
            Bells(celery).ring("sync.ensure_webhooks", name)
    return celery


def _now_and_then(keep_up: Callable[[], None]) -> Callable[[], None]:
    """Take notice of stores that come and go, about once a second."""
    kept_up_at = float("-inf")

    def look() -> None:
        nonlocal kept_up_at
        if time.monotonic() - kept_up_at >= KEEP_UP_S:
            kept_up_at = time.monotonic()
            with suppress(redis.RedisError):  # what the request needs of the store is refused where it is asked for
                keep_up()

    return look


def create_app(celery: SyncApp) -> Flask:
    """The WSGI application over an app of ours."""
    context = celery.context
    counters, broker = context.counters, Broker(celery, PATIENCE_S)
    receiver = Receiver(celery, broker, counters)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.add_url_rule(f"{PATH}<channel>", view_func=receiver.take, methods=["POST"])
    app.register_blueprint(probes(context, broker, PATIENCE_S))
    if context.settings.oauth:
        from sync.web.oauth import oauth  # its packages are an extra

        app.register_blueprint(oauth(celery, context.settings.oauth))
        app.before_request(_now_and_then(context.keep_up))

    @app.get("/metrics")
    def metrics() -> Response:
        """What Prometheus reads, the same from each of our processes."""
        return Response(exposition(context), mimetype="text/plain; version=0.0.4")

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        """In as few words as possible: nobody who comes here by mistake needs more."""
        status = error.code or 500
        if request.path.startswith(PATH):
            channel = (request.view_args or {}).get("channel", "")
            counters.add("webhooks", channel if channel in context.channels else "", NOT_TAKEN.get(status, "malformed"))
        return nothing(status)

    return app
