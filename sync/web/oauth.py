"""The marketplace app over HTTP: a store installs it, opens it, uninstalls it.

A code becomes a token, the token stands encrypted in the store, and only then is anybody rung for. Whatever is
refused is told in one sentence that repeats nothing of what was sent.
"""

from __future__ import annotations

import html
import logging
import threading
from typing import TYPE_CHECKING

import redis
from flask import Blueprint, request
from kombu.exceptions import OperationalError
from werkzeug.wrappers import Response

from channels.bigcommerce.app import AppError, BigCommerceApp, Callback, Grant, missing_scopes
from channels.bigcommerce.settings import BigCommerceSettings
from sync.bells import Bells
from sync.policy import rulebook
from sync.readings import Pulls
from sync.stores import Installed, OAuthSettings
from sync.web.broker import BrokerDown

if TYPE_CHECKING:
    from sync.celery import SyncApp

log = logging.getLogger(__name__)

#: How many codes one process exchanges at a time. Anybody can send codes, and webhooks must not wait behind them.
EXCHANGES = 2

#: By how many seconds BigCommerce's clock may be off from ours.
CLOCK_S = 60

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Inventory sync</title>
<body style="font-family: sans-serif; margin: 3em"><h1>Inventory sync</h1><p>{}</p></body></html>
"""

WORDS = {
    "joined": "This store is connected as {channel}. Its stock is kept in step.",
    "waiting": "This store has installed the app and is not admitted yet. Whoever runs it has to name {hash} in"
    " oauth.stores; until then no call is made to this store.",
    "locked": "This store's token cannot be opened. Install the app again.",
    "uninstalled": "This store has not installed the app. Install it from the store's control panel.",
}


def oauth(celery: SyncApp, settings: OAuthSettings) -> Blueprint:
    """The routes below ``/bigcommerce``."""
    context = celery.context
    routes = Blueprint("oauth", __name__, url_prefix="/bigcommerce")
    app = BigCommerceApp(settings.client_id, settings.client_secret, settings.redirect_uri, settings.login_url)

    exchanges = threading.BoundedSemaphore(EXCHANGES)

    def exchange() -> Grant:
        if not exchanges.acquire(blocking=False):
            raise AppError("too many stores install the app at once; try again in a minute", 503)
        try:
            return app.exchange(*(request.args.get(name, "") for name in ("code", "context", "scope")))
        finally:
            exchanges.release()

    def callback() -> Callback:
        return app.read(request.args.get("signed_payload_jwt", ""))

    @routes.get("/auth")
    def auth() -> Response:
        """A merchant installs the app, or grants it other scopes: a code to be exchanged for the store's token."""
        grant = exchange()
        channel = settings.channel_settings(grant.store_hash, grant.access_token)
        if isinstance(channel, BigCommerceSettings) and (missing := missing_scopes(channel.write, grant.scopes)):
            words = f"the app was not granted {', '.join(missing)}: give it these scopes, and install it again"
            raise AppError(words, 403)
        now_ms = context.store.now_ms()
        installed = context.stores.install(grant.store_hash, grant.access_token, grant.scopes, now_ms)
        state = context.stores.state(installed)
        log.info("%s: the app was installed; it is %s", installed.channel, state)
        if state == "joined":
            _begin(celery, installed.channel, now_ms)
        return _told(installed, state)

    @routes.get("/load")
    def load() -> Response:
        """A person opens the app in the store's control panel."""
        store_hash = callback().store_hash
        installed = context.stores.get(store_hash) or Installed(store_hash)
        return _told(installed, context.stores.state(installed))

    @routes.get("/uninstall")
    def uninstall() -> Response:
        """The store's owner uninstalls the app. Its token is dead already; its webhooks are gone with it."""
        told = callback()
        stores = context.stores
        installed = stores.get(told.store_hash)
        is_older = installed is not None and told.issued_at + CLOCK_S < installed.installed_ms / 1000
        if is_older or stores.is_repeated(told.id):
            log.warning("store-%s: a request to uninstall is from before it was installed again", told.store_hash)
        elif stores.uninstall(told.store_hash, context.store.now_ms()):
            log.info("store-%s: the app was uninstalled; its token is erased", told.store_hash)
        stores.acted_on(told.id)
        return _page("The app is uninstalled, and the store's token is erased.")

    @routes.get("/remove_user")
    def remove_user() -> Response:
        """A person may no longer open the app. Nothing is kept of people, so there is nothing to remove."""
        callback()
        return _page("Nothing is kept of people.")

    @routes.errorhandler(AppError)
    def refused(error: AppError) -> Response:
        log.warning("a request to %s is refused: %s", request.path, error)
        return _page(f"{str(error)[0].upper()}{str(error)[1:]}.", error.status)

    @routes.errorhandler(redis.RedisError)
    def not_kept(error: redis.RedisError) -> Response:
        log.error("a request to %s could not be kept: %s", request.path, error)
        return _page("The app cannot be reached just now. Try again in a minute.", 503)

    return routes


def _begin(celery: SyncApp, channel: str, now_ms: int) -> None:
    """Have a store's channel read, and its hooks registered. What is to be done stands in the store first."""
    context = celery.context
    context.keep_up()
    context.breaker.try_now(channel)
    rulebook.doubt(context, channel)  # stock may have moved while it did not join
    Pulls(context.store).want(channel, now_ms)
    bells = Bells(celery)
    try:
        bells.ring("sync.pull", channel)
        if context.channel(channel).capabilities.hooks:
            bells.ring("sync.ensure_webhooks", channel)
    except (OperationalError, BrokerDown) as error:
        log.warning("%s: the broker took no ring (%s); the sweeper rings", channel, error)


def _told(installed: Installed, state: str) -> Response:
    return _page(WORDS[state].format(channel=installed.channel, hash=installed.store_hash))


def _page(words: str, status: int = 200) -> Response:
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        "Referrer-Policy": "no-referrer",  # the address holds the code, or a signed message
        "X-Content-Type-Options": "nosniff",
    }
    return Response(PAGE.format(html.escape(words)), status, mimetype="text/html", headers=headers)
