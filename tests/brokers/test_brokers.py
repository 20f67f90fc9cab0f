"""Other servers than the embedded one, by configuration alone: the main job, and the server's death under load.

``make test-brokers`` runs these; each is skipped where its server is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError

from tests.brokers.servers import RABBITMQ, Guarded, RedisServer, programs, rabbitmq, running
from tests.processes.conftest import Shop, shop
from tests.processes.trade import SCHEDULE, Trade
from tests.waiting import wait_until

__all__ = ["shop"]

pytestmark = [pytest.mark.brokers, pytest.mark.timeout(300)]

PROGRAMS = programs()


def program(name: str) -> Path:
    """A server's program; without it the test is skipped."""
    if name not in PROGRAMS:
        pytest.skip(f"no {name} is installed on this machine")
    return PROGRAMS[name]


@pytest.mark.parametrize("name", ["redis 7", "redis 8", "valkey 8", "valkey 9"])
def test_a_server_killed_under_load_is_found_again(shop: Shop, tmp_path: Path, name: str) -> None:
    server = RedisServer.at(program(name), tmp_path / "server")
    with running(server):

        def kill() -> None:
            server.kill()
            server.start()

        holds_through(shop, f'redis_url = "{server.url}"', kill)


def test_a_failover_by_sentinels_is_followed_by_store_and_broker(shop: Shop, tmp_path: Path) -> None:
    guarded = Guarded.at(program("redis 7"), tmp_path)
    with running(guarded.primary, guarded.replica, *guarded.sentinels):
        guarded.wait()
        # a failover may lose what the replica had not heard yet; without trade there is nothing to lose
        holds_through(shop, f'redis_url = "{guarded.url}"', guarded.primary.kill, trades_meanwhile=False)
        assert guarded.replica.replication()["role"] == "master"


def test_rabbitmq_as_the_broker_may_die_under_load(shop: Shop, tmp_path: Path) -> None:
    if not RABBITMQ.is_dir():
        pytest.skip("no RabbitMQ is installed on this machine")
    broker = rabbitmq(tmp_path)
    url = f"amqp://guest:guest@127.0.0.1:{broker.port}//"
    with running(broker):
        wait_until(lambda: answers(url), 90, "RabbitMQ answers")

        def kill() -> None:
            broker.kill()
            broker.start()

        holds_through(shop, f'broker_url = "{url}"', kill)
        assert kinds_of_queues(url) == {"webhooks": "quorum", "push": "quorum", "pull": "quorum"}


def holds_through(shop: Shop, servers: str, trouble: Callable[[], None], *, trades_meanwhile: bool = True) -> None:
    """Two workers and the scheduler go on through the trouble by themselves, and every unit is accounted for."""
    trade = Trade.begin(shop)
    (shop.folder / "schedule").write_text(SCHEDULE)
    shop.configure(f'{servers}\nschedule = "schedule"\nwrite_lease_s = 61\n' + shop.settings)
    with shop.worker("-n", "one@%h"), shop.worker("-n", "two@%h"), shop.process("beat", "beat"):
        assert shop.run("reconcile", "--watch", "--timeout", "50").code == 0
        with trade.going_on() if trades_meanwhile else nothing():
            wait_until(lambda: trade.sales >= 10 or not trades_meanwhile, 30, "there is trade")
            trouble()
            before = trade.sales
            wait_until(lambda: trade.sales >= before + 20 or not trades_meanwhile, 60, "trade goes on")
        if not trades_meanwhile:
            with trade.going_on():
                wait_until(lambda: trade.sales >= 20, 60, "there is trade")
        wait_until(trade.is_accounted_for, 120, "all units are accounted for everywhere")
    assert trade.is_accounted_for()


@contextmanager
def nothing() -> Iterator[None]:
    yield


def answers(url: str) -> bool:
    """Whether a broker takes a connection."""
    try:
        with Connection(url, connect_timeout=2) as connection:
            connection.connect()
    except (OSError, OperationalError):
        return False
    return True


def kinds_of_queues(url: str) -> dict[str, str]:
    """Of which kind the queues are, found by declaring each again: another kind would be refused."""
    kinds = {}
    with Connection(url) as connection:
        for name in ("webhooks", "push", "pull"):
            channel = connection.channel()
            channel.queue_declare(name, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
            kinds[name] = "quorum"
    return kinds
