"""What the code under test must not reach while a run lasts: the wall clock and the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

import channels.batches
import sync.look
import sync.push
import sync.stock.ledger
import sync.stock.notes
import sync.stock.worklist
import sync.storage.store
from tests.simulator.engine import Engine

#: How many buckets the few SKUs of a run are spread over. More would only cost time.
BUCKETS = 2

#: From how many rows on these have a note.
NOTED = 2


class _Time:
    """Stands in for the ``time`` module where the code under test measures how long something takes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def monotonic(self) -> float:
        """Simulated seconds."""
        return self._engine.now / 1000


@contextmanager
def isolated(engine: Engine) -> Iterator[None]:
    """Give the code under test the time of an engine."""
    disabled = logging.root.manager.disable
    with ExitStack() as stack:
        for module in (sync.push, sync.look, channels.batches):
            stack.enter_context(patch.object(module, "time", _Time(engine)))
        for module in (sync.storage.store, sync.stock.ledger, sync.stock.worklist):
            stack.enter_context(patch.object(module, "BUCKETS", BUCKETS))
        stack.enter_context(patch.object(sync.stock.notes, "SHORTEST", NOTED))
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(disabled)
