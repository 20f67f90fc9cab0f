"""Sorting more names than should stand in memory: in runs, of which all but the last lie on the disk."""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice

#: How many names are sorted at once; about 10 MB of them.
RUN = 100_000


def in_order(names: Iterable[str], run: int = RUN) -> Iterator[str]:
    """The names in their order, each once. ``run``: how many stand in memory at a time."""
    source = iter(names)
    with ExitStack() as files:
        runs: list[Iterator[str]] = []
        while True:
            some = sorted(islice(source, run))
            if len(some) < run:
                runs.append(iter(some))
                break
            runs.append(_written(some, files))
        last = None
        for name in heapq.merge(*runs):
            if name != last:
                yield name
            last = name


def _written(names: Iterable[str], files: ExitStack) -> Iterator[str]:
    """Names on the disk, each as JSON on a line of its own: a SKU may hold any character."""
    file = files.enter_context(tempfile.TemporaryFile("w+", encoding="ascii"))  # noqa: SIM115 - it does
    file.writelines(f"{json.dumps(name)}\n" for name in names)
    file.seek(0)
    return map(json.loads, file)
