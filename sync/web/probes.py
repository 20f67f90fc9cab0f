"""Probes: is this process alive, and could it keep an event now?"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate

import redis
from flask import Blueprint
from werkzeug.wrappers import Response

from sync.context import Context
from sync.web.broker import Broker, BrokerDown


def probes(context: Context, broker: Broker, patience_s: float) -> Blueprint:
    """``/healthz`` and ``/readyz``."""
    routes = Blueprint("probes", __name__)
    # a server that hangs must not take along the threads that answer
    pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="probe")

    @routes.get("/healthz")
    def healthz() -> Response:
        """Whoever can read this answer knows that the process lives."""
        return _plain("ok\n")

    @routes.get("/readyz")
    def readyz() -> Response:
        """200 when store and broker answer, else 503 with what does not; within a few seconds either way."""
        asked: dict[str, Future[object]] = {
            "store": pool.submit(context.store.client.ping),
            "broker": pool.submit(broker.check),
        }
        found = {}
        for name, answer in asked.items():
            try:
                answer.result(2 * patience_s)
            except (redis.RedisError, BrokerDown, TooLate):
                found[name] = "does not answer"
            else:
                found[name] = "ok"
        ready = all(word == "ok" for word in found.values())
        return _plain("".join(f"{name}: {word}\n" for name, word in found.items()), 200 if ready else 503)

    return routes


def _plain(text: str, status: int = 200) -> Response:
    return Response(text, status, mimetype="text/plain", headers={"Cache-Control": "no-store"})
