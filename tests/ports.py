"""Ports for servers that another process is about to start."""

from __future__ import annotations

import random
import socket

#: Below those that a system gives to connections by itself (from 32768 on Linux, from 49152 on macOS): what is free
#: when somebody looks is then no connection's a moment later.
FIRST, LAST = 20_000, 31_999

#: Not the generator that a test may have seeded: tests that run at the same time must not draw the same ports.
_draw = random.SystemRandom()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """So many of them."""
    found: set[int] = set()
    while len(found) < count:
        port = _draw.randint(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue  # somebody's
        found.add(port)
    return list(found)
