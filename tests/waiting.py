"""Waiting for what happens in another process, instead of sleeping and hoping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], timeout_s: float, description: str) -> None:
    """Wait until a condition holds; a test that waits in vain fails with the description."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {description}")
        threading.Event().wait(0.05)
