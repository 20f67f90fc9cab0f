"""A lean way to the server: one socket, no pool, no retries, no telemetry.

The commands and what becomes of their answers are redis-py's own. A simulation makes hundreds of round trips a
run, and most of their time would go into what it does not need.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Any

import hiredis
import redis
from redis.client import Pipeline


class Wire:
    """One connection to one database of a server on a Unix socket."""

    def __init__(self, path: str, database: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(path)
        self._reader = hiredis.Reader(encoding="utf-8", replyError=redis.ResponseError)
        self.ask([("SELECT", database)])

    def ask(self, commands: Sequence[Iterable[Any]]) -> list[Any]:
        """Send commands in one go; their answers, errors among them."""
        self._socket.sendall(
            b"".join(hiredis.pack_command((*name.split(), *map(_plain, rest))) for name, *rest in commands)
        )
        answers: list[Any] = []
        while len(answers) < len(commands):
            answer = self._reader.gets()
            if answer is False:
                self._reader.feed(self._socket.recv(65536))
            else:
                answers.append(answer)
        return answers

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, bytes, int)) else repr(value)


class LeanRedis(redis.Redis):
    """redis-py's commands over a :class:`Wire`."""

    wire: Wire

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """One round trip."""
        answer = self.wire.ask([args])[0]
        if isinstance(answer, Exception):
            raise _error(answer)
        return _parsed(self, args, options, answer)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> LeanPipeline:
        """Several commands in one round trip."""
        pipeline = LeanPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.owner = self
        return pipeline


class LeanPipeline(Pipeline):
    """redis-py's pipeline over a :class:`Wire`."""

    owner: LeanRedis

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """One round trip, as one transaction where that was asked for."""
        stack = self.command_stack
        if not stack:
            return []
        self.command_stack = []
        commands = [args for args, _ in stack]
        if self.__dict__["transaction"]:
            answers = self.owner.wire.ask([("MULTI",), *commands, ("EXEC",)])[-1]
        else:
            answers = self.owner.wire.ask(commands)
        parsed = []
        for (args, options), answer in zip(stack, answers, strict=True):
            if not isinstance(answer, Exception):
                parsed.append(_parsed(self, args, options, answer))
                continue
            if raise_on_error:
                raise _error(answer)
            parsed.append(_error(answer))
        return parsed


def _parsed(client: Any, args: Sequence[Any], options: dict[str, Any], answer: Any) -> Any:
    callback = client.response_callbacks.get(args[0])
    options.pop("keys", None)
    return callback(answer, **options) if callback else answer


def _error(answer: Exception) -> Exception:
    text = str(answer)
    return redis.exceptions.NoScriptError(text[9:]) if text.startswith("NOSCRIPT ") else answer
