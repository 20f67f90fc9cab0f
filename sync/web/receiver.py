"""Webhooks coming in: verified, kept, rung for, and only then answered with 200.

No answer has a body, and none is given before the event stands in the store and the broker has taken the ring: what
could not be kept is answered with 503, for the sender to try again. Everything else waits for the answer, so this
does nothing that could wait instead.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import redis
from flask import request
from kombu.exceptions import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from channels.webhooks import BadEvent, Event, Refusal
from sync import webhooks
from sync.bells import Bells
from sync.errors import UnknownChannel
from sync.telemetry import runs
from sync.telemetry.counters import Counters
from sync.web.broker import Broker, BrokerDown

if TYPE_CHECKING:
    from sync.celery import SyncApp

log = logging.getLogger(__name__)

#: Where events are received: below it stands the channel's name.
PATH = "/webhooks/"

#: The status with which each refusal is answered.
STATUS = {
    Refusal.UNSIGNED: 401,
    Refusal.FORGED: 401,
    Refusal.STALE: 401,
    Refusal.OVERSIZED: 413,
    Refusal.MALFORMED: 400,
    Refusal.FOREIGN: 403,
}


class Receiver:
    """The receiver of one process.

    Parameters:
        celery: Whose channels send, and whose workers are rung for.
        broker: What the rings go through.
        counters: Where each request is counted: by channel, and by what became of it.
    """

    def __init__(self, celery: SyncApp, broker: Broker, counters: Counters) -> None:
        self._context = celery.context
        self._broker = broker
        self._bells = StrictBells(celery)
        self._counters = counters

    def take(self, channel: str) -> Response:
        """Answer one request. All that comes of it belongs to one run."""
        with runs.run(channel if channel in self._context.channels else ""):
            return self._answer(channel)

    def _answer(self, channel: str) -> Response:
        try:
            adapter = self._context.channel(channel)
        except UnknownChannel:
            adapter = None
        if adapter is None or not adapter.capabilities.webhooks:
            return self._refuse("", "unknown", 404)
        try:
            body = request.get_data(cache=False)
        except HTTPException:
            raise  # it is too large
        except Exception:  # noqa: BLE001 - it went away, or sends what is no HTTP; each server has its own errors
            return self._refuse(channel, Refusal.MALFORMED, 400)
        try:
            event = adapter.receive(dict(request.headers), body, now=time.time())
        except BadEvent as error:
            return self._refuse(channel, error.refusal, STATUS[error.refusal])
        try:
            fresh = self._keep(channel, event, orders=adapter.capabilities.orders)
        except (redis.RedisError, OperationalError, BrokerDown) as error:
            log.warning("%s: an event could not be kept and will come again: %s", channel, error)
            return self._refuse(channel, "not kept", 503)
        self._counters.add("webhooks", channel, "kept" if fresh else "repeated")
        if not event.known:
            self._counters.add("webhooks_unknown_scope", channel)
        return nothing(200)

    def _keep(self, channel: str, event: Event, *, orders: bool) -> bool:
        """Keep an event and ring for it. False: it is a repetition."""
        kept = webhooks.keep(self._context, channel, event)
        if not kept.fresh:
            return False
        log.debug("%s: kept an event: %s of %s", channel, event.scope, event.key)
        try:
            webhooks.ring(self._bells, channel, event, kept, orders=orders)
            self._broker.check()  # the bell may have been rung before, by somebody whose ring is lost by now
        except (redis.RedisError, OperationalError, BrokerDown):
            webhooks.forget(self._context, channel, event)
            raise
        return True

    def _refuse(self, channel: str, reason: str, status: int) -> Response:
        self._counters.add("webhooks", channel, reason)
        return nothing(status)


class StrictBells(Bells):
    """Bells that must be heard."""

    def unheard(self, key: str, task: str, channel: str, error: OperationalError) -> None:
        """The next one rings again, and finds out for itself."""
        self.app.context.store.client.delete(key)
        raise error


def nothing(status: int) -> Response:
    """An answer without a body: senders want none, and may take one amiss."""
    return Response(status=status, headers={"Content-Length": "0"})
