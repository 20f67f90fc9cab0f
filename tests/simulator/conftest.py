"""One server for all runs of a test session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulator.server import server
from tests.simulator.store import SimStore


@pytest.fixture(scope="session")
def store() -> Iterator[SimStore]:
    """A store that forgets everything at the start of each run."""
    with server() as url:
        store = SimStore(url)
        yield store
        store.close()
