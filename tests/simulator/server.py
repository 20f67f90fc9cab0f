"""The Valkey of a simulation: our own embedded one, in a folder that goes away with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sync.storage import embedded
from tests.simulator.store import SimStore


@contextmanager
def server() -> Iterator[str]:
    """Its address, while it runs."""
    with tempfile.TemporaryDirectory(prefix="simulator-") as folder:
        embedded.start(Path(folder))
        try:
            store = SimStore(embedded.url(Path(folder)))
            store.client.config_set("appendonly", "no")
            store.close()
            yield embedded.url(Path(folder))
        finally:
            embedded.stop(Path(folder))
