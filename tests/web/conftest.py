"""A receiver over a real store and a real broker, and a shop whose events reach it."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from channels import Channel
from channels.bigcommerce import BigCommerceChannel, BigCommerceSettings
from channels.bigcommerce.sandbox.webhooks import signature
from sync.celery import SyncApp
from sync.context import Context
from sync.settings import Settings
from sync.storage import embedded
from sync.storage.store import BUCKETS, Store, bucket_prefix
from sync.web import create_app
from tests.conftest import MARKET, TRUSTING, MemoryChannel, TimedStore, counters
from tests.waiting import wait_until

SECRET = "the-client-secret"
STORE_HASH = "abc123"

#: What Celery's keys begin with in these tests.
BROKER_PREFIX = "is:celery:"

_numbers = itertools.count(1)


def bigcommerce(name: str = "store", **changes: object) -> BigCommerceChannel:
    """A channel whose events are verified; it is never called."""
    table = {"type": "bigcommerce", "store_hash": STORE_HASH, "access_token": "x", "client_secret": SECRET}
    return BigCommerceChannel(name, BigCommerceSettings.model_validate(table | changes))


def build_app(store: Store, broker_url: str, *channels: Channel, authority: str = "store") -> SyncApp:
    """An app of ours with these channels."""
    celery = SyncApp("tests")
    celery.conf.update(
        broker_url=broker_url,
        broker_transport_options={
            "global_keyprefix": BROKER_PREFIX,
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
            "max_retries": 1,
            "interval_start": 0,
        },
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
        task_routes={"sync.refresh": "webhooks", "sync.pull": "pull", "sync.audit_orders": "pull"},
    )
    context = Context(Settings.model_construct(authority=authority, guard=TRUSTING))
    context.store = store
    context.counters = counters(store)
    context.channels = {channel.name: channel for channel in channels}
    celery.context = context
    return celery


@dataclass(slots=True)
class Desk:
    """A receiver and everything that can be seen of what it did."""

    celery: SyncApp
    client: FlaskClient
    #: The broker, as a client of Redis sees it.
    broker: redis.Redis
    store: TimedStore = field(init=False)

    def __post_init__(self) -> None:
        self.store = cast(TimedStore, self.celery.context.store)

    def post(self, body: bytes, headers: dict[str, str] | None = None, channel: str = "store") -> TestResponse:
        return self.client.post(f"/webhooks/{channel}", data=body, headers=headers or {})

    def send(self, event: dict[str, Any] | None = None, *, message: str = "", channel: str = "store") -> int:
        """The store sends an event, rightly signed; gives the status."""
        body = json.dumps(event or self.event()).encode()
        answer = self.post(body, signed(body, message=message), channel)
        assert answer.data == b""
        return answer.status_code

    def event(
        self,
        product: int = 7,
        scope: str = "store/product/inventory/updated",
        *,
        age_s: float = 0,
        data: object = None,
        **changes: object,
    ) -> dict[str, Any]:
        inventory = {"product_id": product, "method": "absolute", "value": 5}
        return {
            "scope": scope,
            "store_id": "1001",
            "data": data or {"type": "product", "id": product, "inventory": inventory},
            "hash": f"hash of {product}",
            "created_at": int(self.store.clock.ms / 1000 - age_s),
            "producer": f"stores/{STORE_HASH}",
        } | changes

    @property
    def marks(self) -> dict[str, int]:
        """The refs to be read again, with their due times."""
        found: dict[str, int] = {}
        for bucket in range(BUCKETS):
            rows = self.store.client.zrange(f"{bucket_prefix(bucket)}marks:store", 0, -1, withscores=True)
            found.update((name, int(due)) for name, due in cast("list[tuple[str, float]]", rows))
        return found

    @property
    def rung(self) -> list[tuple[str, dict[str, object]]]:
        """Task and arguments of every message that waits in a queue."""
        found = []
        for queue in ("webhooks", "pull", "maintenance", "celery"):
            for raw in cast("list[str]", self.broker.lrange(BROKER_PREFIX + queue, 0, -1)):
                message = json.loads(raw)
                found.append(
                    (message["headers"]["task"], json.loads(message["headers"]["kwargsrepr"].replace("'", '"')))
                )
        return sorted(found, key=str)

    @property
    def tasks(self) -> list[str]:
        return [task for task, _ in self.rung]

    def counted(self) -> dict[str, int]:
        """What the receiver says of itself: requests by result, whatever the channel."""
        text = self.client.get("/metrics").text
        lines = [line for line in text.splitlines() if line.startswith("inventory_sync_webhooks_total{")]
        return {line.split('result="')[1].split('"')[0]: int(line.rsplit(" ", 1)[1]) for line in lines}

    def come(self) -> None:
        """Workers have come and emptied the queues; the next ring is a new one."""
        for key in self.broker.scan_iter(f"{BROKER_PREFIX}*"):
            self.broker.delete(key)
        for key in self.store.client.scan_iter("is:bell:*"):
            self.store.client.delete(key)

    @property
    def touched(self) -> bool:
        """Whether anything at all stands in the store or in a queue, counters aside."""
        ours = [key for key in self.store.client.scan_iter("is:*") if not key.startswith("is:count:")]
        return bool(ours) or bool(self.rung)


def signed(body: bytes, *, secret: str = SECRET, at: float | None = None, message: str = "") -> dict[str, str]:
    """The headers of Standard Webhooks, as the store sends them."""
    return signature(secret, message or f"msg_{next(_numbers)}", int(time.time() if at is None else at), body)


@pytest.fixture
def desk(store: TimedStore, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A receiver for one store; the marketplace beside it knows no webhooks."""
    no_timer(monkeypatch)
    market = MemoryChannel("market", capabilities=MARKET)
    celery = build_app(store, embedded.broker_url(data_dir), bigcommerce(), market)
    return Desk(celery, create_app(celery).test_client(), store.client)


def no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts reach the store when somebody looks, and no thread is left behind."""
    monkeypatch.setattr("sync.telemetry.counters.threading.Timer.start", lambda _: None)


@dataclass(slots=True)
class OwnBroker:
    """A broker apart from the store, which can be killed, held up and started again."""

    folder: Path
    url: str
    server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            *(embedded._program(), "--port", "0", "--unixsocket", str(self.folder / "broker.sock")),
            *("--save", "", "--dir", str(self.folder), "--logfile", str(self.folder / "broker.log")),
        ]
        self.server = subprocess.Popen(command)
        wait_until(self._answers, 10, "the broker answers")

    def stop(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server.wait()
            self.server = None

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.folder / "broker.sock"), decode_responses=True)

    def _answers(self) -> bool:
        client = self.client
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[OwnBroker]:
    folder = Path("/tmp") / f"is-{tmp_path.name[:40]}-{next(_numbers)}"  # a socket's path is short
    folder.mkdir()
    broker = OwnBroker(folder, f"redis+socket://{folder}/broker.sock")
    broker.start()
    yield broker
    broker.stop()
    shutil.rmtree(folder)
