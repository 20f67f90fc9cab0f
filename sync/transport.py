"""Kombu's Redis transport, mended where it takes a worker down with its broker.

When the broker dies while a task runs, kombu 5.7 closes the connection twice: the first attempt fails on the read
that waits for a message and leaves the channel open, the second one finds the connection gone, wants to give the
task's message back, and raises an AttributeError that no one expects. The worker ends ("Unrecoverable error").
"""

from __future__ import annotations

from kombu.transport import redis


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
