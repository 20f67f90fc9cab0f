"""The sandbox's webhooks going out: signed, repeated, and as unreliable as they are told to be."""

from __future__ import annotations

import base64
import hashlib
import heapq
import hmac
import json
import random
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import requests

from channels.bigcommerce.sandbox.store import Store
from channels.bigcommerce.sandbox.world import Hook

#: Seconds between one attempt and the next; after the last the hook is switched off (docs, "Webhooks overview").
RETRIES_S = (60, 180, 300, 600, 900, 1800, 3600, 7200, 21600, 50400, 86400)

#: The numeric id of the sandbox's store, which every event carries besides its hash.
STORE_ID = "1001"

#: Seconds to wait for a receiver. BigCommerce does not publish its own.
TIMEOUT_S = 5.0

#: Seconds between two looks at what has fallen due, while nothing new happens.
LOOK_S = 0.02


@dataclass(order=True, slots=True)
class Delivery:
    """One event on its way to one hook."""

    due: float
    number: int
    hook: int = field(compare=False)
    body: bytes = field(compare=False)
    message_id: str = field(compare=False)
    signed_at: int = field(compare=False)
    attempts: int = field(default=0, compare=False)


class Deliveries:
    """Everything that is on its way to receivers.

    Nothing is sent until :meth:`deliver` is called or while :meth:`running` runs it.

    Parameters:
        store: Whose events are delivered.
        seed: What decides about drops, duplicates and delays.
    """

    def __init__(self, store: Store, seed: int = 0) -> None:
        self.store = store
        #: Scope, hook and HTTP status (0: no answer) of every attempt so far.
        self.attempts: list[tuple[str, int, int]] = []
        self._waiting: list[Delivery] = []
        self._numbers = count()
        self._random = random.Random(seed)
        self._wake = threading.Condition()
        store.listeners.append(self._happened)

    def clear(self) -> None:
        """Forget everything that is on its way, and the log."""
        with self._wake:
            self._waiting.clear()
            self.attempts.clear()

    @property
    def waiting(self) -> int:
        """How many deliveries are on their way."""
        with self._wake:
            return len(self._waiting)

    def deliver(self) -> int:
        """Make every delivery that is due, one after the other; gives how many attempts were made."""
        made = 0
        with requests.Session() as session:
            session.trust_env = False
            while (delivery := self._next()) is not None:
                self._attempt(session, delivery)
                made += 1
        return made

    @contextmanager
    def running(self, workers: int = 4) -> Iterator[None]:
        """Deliver from threads while the block runs."""
        over = threading.Event()
        threads = [threading.Thread(target=self._work, args=(over,), daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            with self._wake:
                self._wake.notify_all()
            for thread in threads:
                thread.join()

    def _work(self, over: threading.Event) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not over.is_set():
                delivery = self._next()
                if delivery is not None:
                    self._attempt(session, delivery)
                    continue
                with self._wake:
                    self._wake.wait(LOOK_S if self._waiting else 1.0)

    def _next(self) -> Delivery | None:
        with self._wake:
            if self._waiting and self._waiting[0].due <= self.store.clock():
                return heapq.heappop(self._waiting)
        return None

    def _happened(self, scope: str, data: dict[str, object]) -> None:
        """Put one event on its way to every hook that listens."""
        hooks = [hook for hook in self.store.hooks.values() if hook.is_active and listens(hook.scope, scope)]
        if not hooks:
            return
        body = self._body(scope, data)
        switches = self.store.switches
        for hook in hooks:
            if self._random.random() < switches.drop:
                continue
            message_id = f"msg_{uuid.uuid4().hex}"
            for _ in range(2 if self._random.random() < switches.duplicate else 1):
                late = self._random.random() < switches.late
                now = self.store.clock()
                due = now + (self._random.random() * switches.late_s if late else 0.0)
                self._send(Delivery(due, next(self._numbers), hook.id, body, message_id, int(now)))

    def _send(self, delivery: Delivery) -> None:
        with self._wake:
            heapq.heappush(self._waiting, delivery)
            self._wake.notify()

    def _body(self, scope: str, data: dict[str, object]) -> bytes:
        payload = json.dumps(data, separators=(",", ":"))
        event = {
            "scope": scope,
            "store_id": STORE_ID,
            "data": data,
            # Of the data alone, as one page of the docs has it: two like changes have one hash.
            "hash": hashlib.sha1(payload.encode(), usedforsecurity=False).hexdigest(),
            "created_at": int(self.store.clock()),
            "producer": f"stores/{self.store.store_hash}",
        }
        return json.dumps(event, separators=(",", ":")).encode()

    def _attempt(self, session: requests.Session, delivery: Delivery) -> None:
        hook = self.store.hooks.get(delivery.hook)
        if hook is None or not hook.is_active:
            return
        headers = {"Content-Type": "application/json", **(hook.headers or {}), **self._signed(delivery)}
        try:
            answer = session.post(
                hook.destination, data=delivery.body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False
            )
            status = answer.status_code
        except requests.RequestException:
            status = 0
        with self._wake:
            self.attempts.append((json.loads(delivery.body)["scope"], hook.id, status))
        if not 200 <= status < 300:
            self._again(hook, delivery)

    def _again(self, hook: Hook, delivery: Delivery) -> None:
        if delivery.attempts == len(RETRIES_S):
            hook.is_active = False
            hook.updated_at = int(self.store.clock())
            return
        delivery.due = self.store.clock() + RETRIES_S[delivery.attempts] * self.store.switches.retry_scale
        delivery.attempts += 1
        self._send(delivery)

    def _signed(self, delivery: Delivery) -> Mapping[str, str]:
        if not self.store.switches.sign:
            return {}
        if delivery.attempts and self.store.switches.sign_again:
            delivery.signed_at = int(self.store.clock())
        return signature(self.store.client_secret, delivery.message_id, delivery.signed_at, delivery.body)


def listens(hooked: str, scope: str) -> bool:
    """Whether a hook of one scope hears of another: ``store/order/*`` hears of all below it.

    The ``*`` of ``store/channel/*/inventory/...`` is a literal one.
    """
    return hooked == scope or (hooked.endswith("/*") and scope.startswith(hooked[:-1]))


def signature(client_secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.digest(client_secret.encode(), signed, hashlib.sha256)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
