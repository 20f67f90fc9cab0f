"""How long a till's file of 200,000 rows takes to be checked, read and merged, and the memory that it adds.

``python -m benchmarks.till_import [rows]``. The limit is 10 s and 100 MB for reading and merging together. Merged is by
:func:`sync.pull.pull` into an embedded store: the first file opens every SKU, and the second one, with another level
for each, makes a movement of each. Memory is the worker's own peak above what it has before; the store's is beside it.
Processor seconds are those of the worker and the store together: what it takes on a machine with nothing else to do.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from channels import Level
from channels.pos_csv import PosCsvChannel, PosCsvSettings
from sync.context import Context
from sync.deadline import Deadline
from sync.pull import pull
from sync.settings import FILE_VARIABLE, load_settings
from sync.stock.ledger import Window
from sync.storage import embedded

#: What a benchmark found, by the name of the figure.
Row = dict[str, Any]

#: A till that counts, and one under test beside it; nothing is held, for every file changes every SKU.
SETTINGS = """
authority = "AUTHORITY"
[guard]
changed_share = 1
units_share = 1
[channels.counts]
type = "pos_csv"
path = "counts"
[channels.till]
type = "pos_csv"
path = "pos"
quiet_s = 0
"""

#: The limits for reading and merging together.
LIMIT_S, LIMIT_MB = 10.0, 100.0


def write_plain(file: Path, rows: int, more: int = 0) -> None:
    """A list of codes as tills have them, in no order."""
    chance = random.Random(1)
    with file.open("w") as out:
        out.write("sku,quantity\n")
        for number in range(rows):
            out.write(f"SKU-{chance.randrange(10**12):012}-{number},{chance.randrange(500) + more}\n")


def write_wide(file: Path, rows: int, more: int = 0) -> None:
    """The layout of tests/channels/pos_csv/samples/loyverse.csv."""
    sample = Path(__file__).parents[1] / "tests/channels/pos_csv/samples/loyverse.csv"
    header, first = sample.read_text().splitlines()[:2]
    first = first.replace(",18,6,24,", f",{18 + more},6,24,")
    with file.open("w") as out:
        out.write(header + "\n")
        out.writelines(first.replace("10001", f"1{number:09}") + "\n" for number in range(rows))


def write_sales(file: Path, rows: int, more: int = 0) -> None:
    """A journal: one sale of each SKU."""
    with file.open("w") as out:
        out.write("id,sku,quantity\n")
        out.writelines(f"{more}-{number:07},SKU-{number:06},{1 + number % 3}\n" for number in range(rows))


KINDS: dict[str, tuple[Callable[..., None], dict[str, str]]] = {
    "plain sku,quantity": (write_plain, {}),
    "28 columns, two locations (loyverse)": (write_wide, {"profile": "loyverse"}),
    "journal of sales": (write_sales, {"kind": "journal", "id_column": "id", "movement": "out"}),
}


def read(kind: str, rows: int) -> Row:
    """Check one file and hand it out page by page."""
    write, settings = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "stock.csv", rows)
        chosen = PosCsvSettings.model_validate({"type": "pos_csv", "path": folder, "quiet_s": 0} | settings)
        before_mb, began = _peak_mb(), time.perf_counter()
        given = sum(len(page) for page in _pages(chosen))
        took_s = time.perf_counter() - began
        assert given >= rows  # a journal's levels are given before its sales and after them
        return _row(kind, "read", rows, took_s, before_mb)


def merge(kind: str, rows: int) -> list[Row]:
    """Pull two files into an embedded store, one after the other."""
    write, settings = KINDS[kind]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in ("pos", "counts"):
            (folder / path).mkdir()
        journal = settings.get("kind") == "journal"
        keys = "".join(f'{key} = "{value}"\n' for key, value in settings.items())
        (folder / "sync.toml").write_text(SETTINGS.replace("AUTHORITY", "counts" if journal else "till") + keys)
        os.environ[FILE_VARIABLE] = str(folder / "sync.toml")
        context = Context(load_settings())
        try:
            if journal:  # it knows no counts
                _count(context, [Level(f"SKU-{number:06}", "", 100) for number in range(rows)])
            return [_pulled(context, kind, write, rows, file) for file in range(2)]
        finally:
            context.store.close()
            embedded.stop(context.settings.data_dir)


def _count(context: Context, levels: Sequence[Level]) -> None:
    now_ms = context.store.now_ms()
    can = context.channel("counts").capabilities
    for start in range(0, len(levels), 1000):
        context.ledger.merge("counts", levels[start : start + 1000], Window(now_ms, now_ms), can, cause="a count")


def _pulled(context: Context, kind: str, write: Callable[..., None], rows: int, file: int) -> Row:
    write(context.settings.data_dir.parent / "pos" / f"{file}.csv", rows, file)
    context.store.now_ms()
    before_mb, before_cpu_s, began = _peak_mb(), _cpu_s(context), time.perf_counter()
    assert pull(context, "till", Deadline(3600))
    took_s, cpu_s = time.perf_counter() - began, _cpu_s(context) - before_cpu_s
    assert context.ledger.listings("till") == rows
    what = ("first file: opens" if file == 0 else "second file: moves") + " every SKU"
    row = _row(kind, f"read and merge, {what}", rows, took_s, before_mb)
    row["store_mb"] = round(int(context.store.client.info("memory")["used_memory"]) / 1e6)
    row["cpu_s"] = round(cpu_s, 2)
    row["within_limits"] = took_s < LIMIT_S and row["added_mb"] < LIMIT_MB
    return row


def _pages(settings: PosCsvSettings) -> Any:
    return (page.levels for page in PosCsvChannel("till", settings).read_all())


def _row(kind: str, what: str, rows: int, took_s: float, before_mb: float) -> Row:
    return {
        "file": kind,
        "what": what,
        "rows": rows,
        "seconds": round(took_s, 2),
        "rows_per_s": round(rows / took_s),
        "added_mb": round(_peak_mb() - before_mb),
    }


def _cpu_s(context: Context) -> float:
    used = context.store.client.info("cpu")
    return time.process_time() + float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> list[Row]:
    """Measure all kinds of files."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    found: list[Row] = []
    for kind in KINDS:
        for what in (read, merge):
            # A process each, because the peak of memory never falls again.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                figures = process.submit(what, kind, rows).result()
            for row in figures if isinstance(figures, list) else [figures]:
                found.append(row)
                store = (
                    f", {row['cpu_s']:.2f} s of processors, the store holds {row['store_mb']} MB"
                    if "store_mb" in row
                    else ""
                )
                over = "" if row.get("within_limits", True) else f" (over {LIMIT_S:g} s or {LIMIT_MB:g} MB)"
                print(
                    f"{row['file']}: {row['what']}: {rows} rows in {row['seconds']:.2f} s ({row['rows_per_s']:,} "
                    f"rows/s), {row['added_mb']} MB added{store}{over}",
                    flush=True,
                )
    return found


if __name__ == "__main__":
    main()
