"""A Redis Cluster as the store: redis-py's client for it, made to behave like the one for a single server.

The records of a SKU and all that belongs to them share a hash slot (:func:`sync.storage.store.bucket_prefix`), so every
script runs on one node. Three things differ from a single server and are evened out here:

*   A pipeline of redis-py repeats by itself whatever was cut off or timed out, however many retries it is given. Only
    what a node has pointed elsewhere, and so has not run, may be sent again.
*   Trouble with the cluster as a whole is no ``redis.RedisError`` there. Here it is a ``redis.ConnectionError``.
*   Each node has a clock. The clock of the store is that of the node which has the first bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import redis
from redis.cluster import ClusterNode, ClusterPipeline, RedisCluster
from redis.exceptions import AskError, MovedError, RedisClusterException, TryAgainError

#: A key in the slot of the first bucket: its node tells the time.
CLOCK_KEY = "is:{0}:clock"

#: The port of a node where the address names none.
PORT = 6379

ClusterPipeline.ERRORS_ALLOW_RETRY = (MovedError, AskError, TryAgainError)  # type: ignore[assignment]


class Cluster(RedisCluster):
    """A client for all nodes. It never repeats a command that a node may have run."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command on the node that has its keys."""
        with _plain_errors():
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool | None = None, shard_hint: Any = None) -> ClusterPipeline:
        """Commands for several nodes in one round trip; as a transaction, for one slot."""
        pipeline: ClusterPipeline = super().pipeline(transaction, shard_hint)  # type: ignore[no-untyped-call]
        pipeline.__class__ = _Pipeline  # redis-py lets nobody say which class it is to take
        return pipeline

    def time(self, **_: Any) -> tuple[int, int]:
        """The time of one node, always the same one: seconds and microseconds."""
        with _plain_errors():
            node = self.get_node_from_key(CLOCK_KEY)  # type: ignore[no-untyped-call]
            seconds, microseconds = super().time(target_nodes=node)
            return seconds, microseconds


class _Pipeline(ClusterPipeline):
    def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] == "EVALSHA":  # redis-py would ask a node where the keys of each one are
            options["target_nodes"] = self.get_node_from_key(args[3])  # type: ignore[no-untyped-call]
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        with _plain_errors():
            return super().execute(raise_on_error)


def connect(url: str, options: dict[str, Any]) -> Cluster:
    """Ask one of the nodes named for the others.

    Raises:
        redis.ConnectionError: none of them answers, or the cluster does not serve all slots.
    """
    parts = [urlsplit(part) for part in url.split(";")]
    login = next((part for part in parts if part.password), parts[0])
    with _plain_errors():
        return Cluster(
            startup_nodes=[ClusterNode(str(part.hostname), part.port or PORT) for part in parts],  # type: ignore[no-untyped-call]
            username=unquote(login.username) if login.username else None,
            password=unquote(login.password) if login.password else None,
            **options,
        )


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except RedisClusterException as error:
        raise redis.ConnectionError(str(error)) from error
