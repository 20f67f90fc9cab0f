"""A process that dies between any two steps: nothing that it was about to do is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import redis


class Died(BaseException):
    """The process is gone: nothing after this line of it runs."""


def died(step: int, work: Callable[[], object]) -> bool:
    """Do it, but die before the round trip of this number to the store. Whether it came so far."""
    try:
        with _dying_at(step):
            work()
    except Died:
        return True
    return False


def steps_of(once: Callable[[int], bool]) -> int:
    """Do it again and again, with a death one step later each time, until it is lived through. Gives the deaths."""
    step = 0
    while once(step):
        step += 1
    return step


@contextmanager
def _dying_at(step: int) -> Iterator[None]:
    left = [step]

    def mortal(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: redis.Redis, *args: Any, **options: Any) -> Any:
            if left[0] == 0:
                raise Died
            left[0] -= 1
            return real(self, *args, **options)

        return call

    with (
        patch.object(redis.Redis, "execute_command", mortal(redis.Redis.execute_command)),
        patch.object(redis.client.Pipeline, "execute", mortal(redis.client.Pipeline.execute)),
    ):
        yield
