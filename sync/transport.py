"""Celery's broker: what it is told for Redis and for RabbitMQ, and kombu's Redis transport, mended in one place.

When the broker dies while a task runs, kombu 5.7 closes the connection twice: the first attempt fails on the read
that waits for a message and leaves the channel open, the second one finds the connection gone, wants to give the
task's message back, and raises an AttributeError that no one expects. The worker ends ("Unrecoverable error").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kombu.entity import Exchange, Queue
from kombu.transport import redis

from sync.storage.addresses import Sentinels, scheme_of

#: Seconds after which a message whose worker died comes back; more than twice the longest task.
VISIBILITY_S = 300

#: What RabbitMQ is told.
RABBITMQ: dict[str, Any] = {
    "confirm_publish": True,  # a ring is sent once it is on the disks of a majority
}

#: What Redis and Valkey are told.
REDIS: dict[str, Any] = {
    "visibility_timeout": VISIBILITY_S,
    # look for messages of the dead every 10 s, not every 100 s
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    # without time limits on the socket a half-open connection leaves a worker deaf for ever
    "socket_timeout": 15,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
    # queues are served in their order: what a sale waits for goes before what merely should be done
    "queue_order_strategy": "priority",
    "global_keyprefix": "is:celery:",
    "client_name": "inventory-sync",
}


def is_rabbitmq(url: str) -> bool:
    """Whether a broker's address is RabbitMQ's."""
    return scheme_of(url) in ("amqp", "amqps", "pyamqp")


def options(url: str) -> dict[str, Any]:
    """Celery's ``broker_transport_options`` for this broker."""
    if is_rabbitmq(url):
        return dict(RABBITMQ)
    if scheme_of(url) != "sentinel":
        return dict(REDIS)
    address = Sentinels.parse(url)
    patience = {name: REDIS[name] for name in ("socket_timeout", "socket_connect_timeout")}
    return REDIS | {
        "master_name": address.master,
        "sentinel_kwargs": patience | {"password": address.sentinel_password},
    }


def queues(url: str, names: Iterable[str]) -> list[Queue]:
    """The queues, the most urgent first. On RabbitMQ they are quorum queues, which outlive a node.

    There they hang on a topic exchange, because its delayed delivery, by which countdowns wait in the broker and not in
    a worker's memory, knows no other.
    """
    if not is_rabbitmq(url):
        return [Queue(name) for name in names]  # type: ignore[no-untyped-call]
    exchange = Exchange("inventory-sync", type="topic")  # type: ignore[no-untyped-call]
    quorum = {"x-queue-type": "quorum"}
    return [Queue(name, exchange, routing_key=name, queue_arguments=quorum) for name in names]  # type: ignore[no-untyped-call]


class PatientQoS(redis.QoS):
    """Gives nothing back and acknowledges nothing once its connection is gone.

    The broker still has these messages, and delivers them again after their visibility timeout.
    """

    def restore_unacked(self, client: object = None) -> None:
        """Give back what was not acknowledged."""
        if not self._is_gone:
            super().restore_unacked(client)  # type: ignore[no-untyped-call]

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message."""
        if not self._is_gone:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Give a message back, or have it forgotten."""
        if not self._is_gone:
            super().reject(delivery_tag, requeue)  # type: ignore[no-untyped-call]

    @property
    def _is_gone(self) -> bool:
        return self.channel.connection is None or self.channel.connection.client is None


def mend() -> None:
    """Have all channels of this process use it."""
    redis.Channel.QoS = PatientQoS
