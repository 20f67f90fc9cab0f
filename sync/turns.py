"""Things that one process does at a time for a channel: a lease, and a wish for another round that is never lost."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import redis

from sync.storage.store import PREFIX, Call, Store

log = logging.getLogger(__name__)

#: How long a turn outlives its holder, in seconds: nobody else serves the channel's work for so long after a death.
LEASE_S = 10.0

#: How often the holder renews it while it works, in seconds.
RENEW_S = 3.0

#: For how long, in seconds; a round that hangs for longer than any task works loses its turn.
LONGEST_S = 180.0


class Turn:
    """One process's attempt at a turn. Only efficiency hangs on it: claims keep writes apart (rule 2)."""

    def __init__(self, store: Store, what: str, channel: str) -> None:
        self.store = store
        self._token = uuid.uuid4().hex
        self._kept_at = time.monotonic()
        name = f"{PREFIX}turn:{{{channel}}}:{what}"
        self._keys = (name, f"{name}:again")

    def take(self) -> bool:
        """Take or renew the turn. If somebody else has it, they will go round once more."""
        return self._take(at_work=False)

    def keep(self) -> None:
        """Say that the turn is still at work, however long it has been: it is renewed now and then. Wishes stay."""
        if time.monotonic() >= self._kept_at + RENEW_S:
            self._kept_at = time.monotonic()
            self._take(at_work=True)

    def _take(self, *, at_work: bool) -> bool:
        call = Call(self._keys, [self._token, round(LEASE_S * 1000), int(at_work)])
        return bool(self.store.run("turn_take", [call])[0])

    def end(self, *, whatever: bool = False) -> bool:
        """End the turn. True: somebody wished for another round and the turn is still ours (never if ``whatever``)."""
        call = Call(self._keys, [self._token, round(LEASE_S * 1000), int(whatever)])
        return bool(self.store.run("turn_end", [call])[0])

    def rounds(self, one_round: Callable[[], bool]) -> bool | None:
        """Do rounds until nobody wishes for another. ``one_round`` says whether it did all there was to do.

        Returns whether somebody should be rung for to go on; ``None`` when another has the turn: they were told, go
        round once more, and see to whatever follows from it.
        """
        if not self.take():
            log.debug("%s: another process is at work, and goes round once more", self._keys[0])
            return None
        ended = False
        try:
            with self._renewed():
                while True:
                    if not one_round():
                        return True
                    if not self.end():
                        ended = True
                        return False
        finally:
            if not ended:
                self.end(whatever=True)

    @contextmanager
    def _renewed(self) -> Iterator[None]:
        """Keep the turn while the block runs, however long one call of the channel takes."""
        over, until = threading.Event(), time.monotonic() + LONGEST_S

        def renew() -> None:
            while not over.wait(RENEW_S) and time.monotonic() < until:
                with suppress(redis.RedisError):  # the turn is somebody else's then, or will be
                    self.store.run("turn_renew", [Call(self._keys[:1], [self._token, round(LEASE_S * 1000)])])

        threading.Thread(target=renew, name="turn", daemon=True).start()
        try:
            yield
        finally:
            over.set()
