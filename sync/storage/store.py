"""The one place that owns connections to Redis or Valkey: keys, buckets, the clock and the Lua scripts.

No command is ever repeated by the client itself: redis-py would, and a sale would be counted twice (an INCR
under a stalled server was applied twice with its defaults). Whoever calls decides, and every script here may be
run again with the same arguments.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, cast

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry
from redis.sentinel import Sentinel

from sync.storage import cluster
from sync.storage.addresses import Sentinels, scheme_of

#: How many hash slots the records of one installation spread over. Part of the data: never change it.
BUCKETS = 16

#: What all keys begin with.
PREFIX = "is:"

#: Seconds to wait for an answer of the store; a command that takes longer has failed.
TIMEOUT_S = 10.0


def fold(sku: str) -> str:
    """A SKU as it is compared: trimmed, whatever the case."""
    return sku.strip().casefold()


def bucket_of(name: str) -> int:
    """The bucket in which a folded SKU (or a ref) has its keys."""
    return zlib.crc32(name.encode()) % BUCKETS


def bucket_prefix(bucket: int) -> str:
    """What all keys of one bucket begin with; the braces keep them in one slot of a cluster."""
    return f"{PREFIX}{{{bucket}}}:"


class Call(NamedTuple):
    """One run of a script: the keys and arguments it gets."""

    keys: Sequence[str]
    args: Sequence[str | int]


class Script:
    """A Lua script of this package, known to the server by its hash.

    A line ``-- include lib_x.lua`` stands for the text of that file.
    """

    def __init__(self, name: str) -> None:
        folder = files("sync").joinpath("lua")
        self.text = re.sub(
            r"^-- include (\w+\.lua)$",
            lambda line: folder.joinpath(line[1]).read_text("utf-8"),
            folder.joinpath(f"{name}.lua").read_text("utf-8"),
            flags=re.MULTILINE,
        )
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


@cache
def script(name: str) -> Script:
    """The script in ``lua/<name>.lua``."""
    return Script(name)


def connect(url: str, timeout_s: float) -> redis.Redis:
    """A client whose connections are made when they are first needed. It never repeats a command."""
    patience: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": min(5.0, timeout_s),
        "retry": Retry(NoBackoff(), 0),
    }
    options = patience | {"decode_responses": True, "health_check_interval": 30}
    if scheme_of(url) == "sentinel":
        address = Sentinels.parse(url)
        login = {"username": address.username, "password": address.password, "db": address.database}
        guard_options = patience | {"password": address.sentinel_password}
        guards = Sentinel(address.hosts, sentinel_kwargs=guard_options)  # type: ignore[no-untyped-call]
        return cast("redis.Redis", guards.master_for(address.master, **options, **login))  # type: ignore[no-untyped-call]
    if scheme_of(url) == "redis+cluster":
        return cast("redis.Redis", cluster.connect(url, options))
    return redis.Redis.from_url(url, **options)


class Store:
    """A connection pool to the store, safe across threads.

    Parameters:
        url: See :mod:`sync.storage.addresses`.
        timeout_s: Seconds to wait for an answer; a command that takes longer has failed.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.client: redis.Redis = connect(url, timeout_s)

    def now_ms(self) -> int:
        """The store's clock: the one clock by which readings, writes and leases are timed, in milliseconds."""
        seconds, microseconds = self.client.time()
        return seconds * 1000 + microseconds // 1000

    def run(self, name: str, calls: Sequence[Call]) -> list[Any]:
        """Run one script for each call, in one round trip, and give its answers in order.

        Each call is atomic by itself; there is no transaction around them. A call that the server did not run
        because it did not know the script is run again; nothing else ever is.
        """
        if not calls:
            return []
        lua = script(name)
        answers = self._evaluate(lua, calls)
        unknown = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            self.client.script_load(lua.text)
            again = self._evaluate(lua, [calls[index] for index in unknown])
            for index, answer in zip(unknown, again, strict=True):
                answers[index] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _evaluate(self, lua: Script, calls: Sequence[Call]) -> list[Any]:
        pipeline = self.client.pipeline(transaction=False)
        for call in calls:
            # by its name, for redis-py's pipeline to a cluster knows no evalsha()
            pipeline.execute_command("EVALSHA", lua.sha, len(call.keys), *call.keys, *call.args)  # type: ignore[no-untyped-call]
        return pipeline.execute(raise_on_error=False)

    def close(self) -> None:
        """Close all connections."""
        self.client.close()
