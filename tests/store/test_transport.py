"""The broker's death must not be the worker's."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kombu import Connection, Consumer, Exchange, Message, Producer, Queue
from kombu.common import ignore_errors

from sync import transport
from sync.storage import embedded
from tests.waiting import wait_until


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Path]:
    """The folder of a broker that may be killed."""
    embedded.start(tmp_path)
    yield tmp_path
    embedded.stop(tmp_path)


def test_a_connection_whose_broker_died_under_a_task_can_be_closed(
    broker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kombu.transport.redis.Channel.QoS", None)  # put back after the test
    transport.mend()
    taken: list[Message] = []
    with Connection(embedded.broker_url(broker)) as connection:
        queue = Queue("work", channel=connection.default_channel)  # type: ignore[no-untyped-call]
        news = Queue("news", Exchange("news", type="fanout"), auto_delete=True)  # type: ignore[no-untyped-call]
        Producer(connection.default_channel).publish({}, routing_key="work", declare=[queue])
        with Consumer(connection.default_channel, [queue, news], callbacks=[lambda _, message: taken.append(message)]):
            with suppress(TimeoutError):
                while True:  # in the end it waits for another message, as a worker does
                    connection.drain_events(timeout=0.5)
            assert len(taken) == 1
            os.kill(int((broker / "store.pid").read_text()), signal.SIGKILL)
            wait_until(lambda: not embedded._lives(broker), 10, "the broker is dead")

            connection.collect(socket_timeout=1)  # what a worker does
            ignore_errors(connection, connection.close)
            taken[0].ack()

    embedded.start(broker)
    with Connection(embedded.broker_url(broker)) as connection:
        assert connection.default_channel.client.hlen("unacked") == 1, "the message is not lost"
