"""How fast readings are merged into the stock of record, what a SKU costs there, and how fast all of it is listed.

``python -m benchmarks.merge [SKUS ...]``; without numbers 1,000 to 1,000,000. Three channels show every SKU: a till,
which is the authority, a BigCommerce store whose orders are audited, and Amazon. Each is read in pages of 1,000 rows:

*opens*        every row is new
*notes*        nothing has changed, but there are no notes of it yet (``sync/stock/notes.py``)
*same*         nothing has changed, as nearly always
*0.1%*, *1%*   one row in a thousand, or in a hundred, moves stock, other ones than in the reading before; they are
               withheld first and merged then, as the guard has it
*moves*        every row moves stock

*SKUs/s* counts a SKU once its rows of all three channels are merged, *rows/s* each row; both by processor seconds of
the worker and of the store together, as if they shared one core, for on a machine with other work the clock on the wall
says less. Memory is the worker's peak above what it has before the first page. Beside it, in the same run, is the loop
of many a script: an HGET for each SKU, and an HSET and an XADD where it differs. It knows no twins, no windows and no
writes under way, and books a sale twice when it dies between the two.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from channels import Capabilities, Level
from sync.stock.ledger import Ledger, Roster, Window, Withhold
from sync.stock.worklist import Worklist
from sync.stock.writes import Intent, Writes
from sync.storage import embedded
from sync.storage.store import PREFIX, Store

Row = dict[str, Any]

SIZES = (1_000, 10_000, 100_000, 1_000_000)

#: Rows of one page.
PAGE = 1000

#: How many SKUs the plain loop is given at most.
LOOP = 20_000

CHANNELS = {
    "till": Capabilities(writes=False),
    "store": Capabilities(
        writes=True, read_batch=250, settle_s=2.0, accepted_is_applied=True, orders=True, webhooks=True
    ),
    "amazon": Capabilities(writes=True, read_batch=20, settle_s=5.0, visible_within_s=600.0),
}

#: How far the clock goes on with each page, in milliseconds: more than any settle time.
STEP_MS = 10_000


def level(channel: str, number: int, round_: int) -> Level:
    """What a channel shows of a SKU in a round."""
    ref = {"till": "", "store": f"p{100 + number // 4}:v{1000 + number}", "amazon": f"SKU-{number:07}"}[channel]
    return Level(f"SKU-{number:07}", ref, 100 + number % 900 + round_)


class Shop:
    """The stock of record on an embedded store, by a clock that jumps."""

    def __init__(self, store: Store, skus: int) -> None:
        self.store, self.skus = store, skus
        self.ledger = Ledger(store, Roster("till", ("store", "amazon")))
        self.now_ms = 1_790_000_000_000

    def read(
        self, channel: str, moves: Callable[[int], int], withhold: Withhold = Withhold.NOTHING
    ) -> dict[str, float]:
        """Merge a full reading, and what it withholds after it; the making of its rows is not counted."""
        worker_s = took_s = 0.0
        for start in range(0, self.skus, PAGE):
            rows = [level(channel, number, moves(number)) for number in range(start, min(self.skus, start + PAGE))]
            self.now_ms += STEP_MS
            window, can = Window(self.now_ms, self.now_ms), CHANNELS[channel]
            cpu, began = time.process_time(), time.perf_counter()
            late = self.ledger.merge(channel, rows, window, can, cause="a reading", withhold=withhold).withheld
            if late:
                self.ledger.merge(channel, [row.level for row in late], window, can, cause="a reading")
            took_s += time.perf_counter() - began
            worker_s += time.process_time() - cpu
        return {"worker_s": worker_s, "took_s": took_s}

    def rest(self) -> None:
        """Nothing is marked any more, as after a push."""
        for channel in ("store", "amazon"):
            while dirty := Worklist(self.store).dirty(channel, 5000):
                records = self.ledger.records(dirty)
                intents = [Intent(record.folded, record.revision, record.listings[channel].level) for record in records]
                Writes(self.store).rest(channel, intents, self.now_ms)


def measure(skus: int) -> list[Row]:
    """All figures for one number of SKUs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        embedded.start(folder)
        store = Store(embedded.url(folder))
        try:
            return list(_measure(Shop(store, skus), skus))
        finally:
            store.close()
            embedded.stop(folder)


def _measure(shop: Shop, skus: int) -> Iterator[Row]:
    shop.store.now_ms()
    before_mb, empty = peak_mb(), _used(shop.store)
    rounds: dict[str, Callable[[int], int]] = {
        "opens": lambda _: 0,
        "notes": lambda _: 0,
        "same": lambda _: 0,
        "0.1% before": lambda number: int(number % 1000 == 0),
        "0.1%": lambda number: int(number % 1000 <= 1),
        "1% before": lambda number: int(number % 1000 <= 1 or number % 100 == 2),
        "1%": lambda number: int(number % 1000 <= 1 or number % 100 in (2, 3)),
        "moves": lambda _: 2,
    }
    for what, moves in rounds.items():
        withhold = Withhold.MOVES if "%" in what else Withhold.NOTHING
        if what.endswith("before"):
            for channel in CHANNELS:
                shop.read(channel, moves, withhold)
            continue
        of_store_s, written = store_s(shop.store), _written(shop.store)
        parts = [shop.read(channel, moves, withhold) for channel in CHANNELS]
        of_store_s = store_s(shop.store) - of_store_s
        worker_s = sum(part["worker_s"] for part in parts)
        cpu_s = worker_s + of_store_s
        yield {
            "what": what,
            "skus": skus,
            "skus_per_s": round(skus / cpu_s),
            "rows_per_s": round(len(CHANNELS) * skus / cpu_s),
            "wall_rows_per_s": round(len(CHANNELS) * skus / sum(part["took_s"] for part in parts)),
            "worker_us_a_row": round(1e6 * worker_s / skus / len(CHANNELS), 2),
            "store_us_a_row": round(1e6 * of_store_s / skus / len(CHANNELS), 2),
            "written_bytes_a_row": round((_written(shop.store) - written) / skus / len(CHANNELS)),
            "added_mb": round(peak_mb() - before_mb, 1),
        }
        if what == "opens":
            shop.rest()
            yield _state(shop, empty)
    yield _listed(shop, before_mb)
    yield _loop(shop.store, min(skus, LOOP))


def _state(shop: Shop, empty: int) -> Row:
    """What a SKU on three channels costs, with the movement that opened it."""
    record = max(0, *(shop.store.client.memory_usage(key) or 0 for key in shop.store.client.scan_iter(_RECORDS)))
    return {
        "what": "state",
        "skus": shop.skus,
        "bytes_a_sku": round((_used(shop.store) - empty) / shop.skus),
        "largest_record_bytes": record,
    }


_RECORDS = f"{PREFIX}{{0}}:sku:sku-000000*"


def _listed(shop: Shop, before_mb: float) -> Row:
    began, cpu = time.perf_counter(), time.process_time()
    first_s = 0.0
    count = 0
    for _ in shop.ledger.every_record():
        count += 1
        first_s = first_s or time.perf_counter() - began
    return {
        "what": "list",
        "skus": count,
        "seconds": round(time.perf_counter() - began, 2),
        "first_s": round(first_s, 2),
        "worker_us_a_record": round(1e6 * (time.process_time() - cpu) / count, 1),
        "added_mb": round(peak_mb() - before_mb, 1),
    }


def _loop(store: Store, skus: int) -> Row:
    """What a script does that looks at one SKU after the other and finds nothing changed."""
    rows = [level("till", number, 0) for number in range(skus)]
    client = store.client
    for sku, _, units in rows:
        client.hset("loop:levels", sku, units)
    cpu, of_store_s = time.process_time(), store_s(store)
    for sku, _, units in rows:
        known = client.hget("loop:levels", sku)
        if known != str(units):
            client.hset("loop:levels", sku, units)
            client.xadd("loop:moves", {"sku": sku, "units": units - int(str(known or 0))})
    cpu_s = time.process_time() - cpu + store_s(store) - of_store_s
    return {"what": "loop: same", "skus": skus, "rows_per_s": round(skus / cpu_s)}


def _used(store: Store) -> int:
    return int(store.client.info("memory")["used_memory"])


def _written(store: Store) -> int:
    return int(store.client.info("persistence")["aof_current_size"])


def store_s(store: Store) -> float:
    """Processor seconds that the store's server has used."""
    used = store.client.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def peak_mb() -> float:
    """The most memory that this process ever had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def _told(row: Row) -> str:
    head = f"{row['skus']:>9,} SKUs  {row['what']:<10}"
    if row["what"] == "state":
        return f"{head} {row['bytes_a_sku']} bytes a SKU, movement included; a record {row['largest_record_bytes']}"
    if row["what"] == "list":
        return (
            f"{head} {row['seconds']:.2f} s, the first after {row['first_s']:.2f} s, {row['worker_us_a_record']} us a "
            f"record, {row['added_mb']} MB added"
        )
    if row["what"].startswith("loop"):
        return f"{head} {row['rows_per_s']:,} rows/s"
    return (
        f"{head} {row['skus_per_s']:>7,} SKUs/s, {row['rows_per_s']:>7,} rows/s by processor seconds "
        f"({row['worker_us_a_row']} + {row['store_us_a_row']} us a row), {row['wall_rows_per_s']:>7,} rows/s by the "
        f"clock, {row['written_bytes_a_row']} bytes written a row, {row['added_mb']} MB added"
    )


def main() -> list[Row]:
    """Measure all sizes."""
    found: list[Row] = []
    for skus in [int(text) for text in sys.argv[1:]] or SIZES:
        # A process each, because the peak of memory never falls again.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            rows = process.submit(measure, skus).result()
        for row in rows:
            print(_told(row), flush=True)
        found += rows
    return found


if __name__ == "__main__":
    main()
