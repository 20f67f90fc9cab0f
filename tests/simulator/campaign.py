"""Many seeds over all processors, and the table of what became of them."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING

from tests.simulator.mutants import MUTANTS
from tests.simulator.plan import plan
from tests.simulator.run import Simulation
from tests.simulator.store import SimStore

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

#: How many seeds a process takes at a time.
SHARE = 20

#: Heads of the table, and what is counted under each.
COLUMNS = {
    "sales": ("sales",),
    "writes": ("writes",),
    "unknown": ("unknown",),
    "over a sale": ("over a sale",),
    "crashes": ("crashes",),
    "by hand": ("edits", "returns"),
    "booked by audits": ("why sold under a write", "why sold under a write, less stock assumed"),
    "given back": ("why not sold after all",),
}


@dataclass(slots=True)
class Tally:
    """What became of many seeds of one mode."""

    mode: str
    seeds: int = 0
    failed: dict[int, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def row(self) -> list[str]:
        """Its row of the table."""
        figures = [str(sum(self.counts[name] for name in names)) for names in COLUMNS.values()]
        pace = f"{self.seeds / self.seconds * 60:.0f}" if self.seconds else ""
        return [self.mode, str(self.seeds), str(len(self.failed)), *figures, pace]


def run_seeds(store: SimStore, mode: str, seeds: Sequence[int], mutant: str = "") -> Tally:
    """Run seeds one after the other."""
    tally = Tally(mode)
    with MUTANTS[mutant].installed() if mutant else nullcontext():
        for seed in seeds:
            report = Simulation(plan(mode, seed), store).run()
            tally.seeds += 1
            tally.counts += report.counts
            if report.faults:
                tally.failed[seed] = report.faults
    return tally


class Crew:
    """Processes that run seeds, each on a database of its own."""

    def __init__(self, url: str, jobs: int) -> None:
        context = multiprocessing.get_context("spawn")
        databases: Queue[int] = context.Queue()
        for number in range(1, jobs + 1):
            databases.put(number)
        self._pool = ProcessPoolExecutor(jobs, context, _begin, (url, databases))

    def campaign(self, mode: str, first: int, count: int, mutant: str = "") -> Iterator[Tally]:
        """The tally so far, again and again, until all seeds are done."""
        began = time.monotonic()
        shares = [range(start, min(start + SHARE, first + count)) for start in range(first, first + count, SHARE)]
        whole = Tally(mode)
        for part in self._pool.map(_share, repeat(mode), shares, repeat(mutant)):
            whole.seeds += part.seeds
            whole.failed |= part.failed
            whole.counts += part.counts
            whole.seconds = time.monotonic() - began
            yield whole

    def close(self) -> None:
        """Send them home."""
        self._pool.shutdown(cancel_futures=True)


_store: SimStore


def _begin(url: str, databases: Queue[int]) -> None:
    global _store
    _store = SimStore(url, databases.get())


def _share(mode: str, seeds: Sequence[int], mutant: str) -> Tally:
    return run_seeds(_store, mode, seeds, mutant)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, columns aligned."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    shown = [
        "| "
        + " | ".join(
            cell.ljust(width) if not column else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 1) + ("-" if not column else ":") for column, width in enumerate(widths)) + "|"
    return "\n".join([shown[0], rule, *shown[1:]])
