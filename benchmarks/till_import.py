"""How long a till's file of 200,000 rows takes to be checked and handed out page by page, and the memory it adds.

Run it with ``python benchmarks/till_import.py [rows]``. The limit for reading and merging together is 10 s and
100 MB (docs: scale); this measures the reading.
"""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

from channels.pos_csv import PosCsvChannel, PosCsvSettings

PLAIN = "plain sku,quantity"
WIDE = "28 columns, two locations (loyverse)"


def write_plain(file: Path, rows: int) -> None:
    """A list of codes as tills have them, in no order."""
    chance = random.Random(1)
    with file.open("w") as out:
        out.write("sku,quantity\n")
        out.writelines(f"SKU-{chance.randrange(10**12):012}-{n},{chance.randrange(500)}\n" for n in range(rows))


def write_wide(file: Path, rows: int) -> None:
    """The layout of tests/channels/pos_csv/samples/loyverse.csv."""
    sample = Path(__file__).parents[1] / "tests/channels/pos_csv/samples/loyverse.csv"
    header, first = sample.read_text().splitlines()[:2]
    with file.open("w") as out:
        out.write(header + "\n")
        out.writelines(first.replace("10001", f"1{n:09}") + "\n" for n in range(rows))


def measure(name: str, file: Path, rows: int, **settings: object) -> None:
    """Read one file as the worker does and print what it took."""
    chosen = PosCsvSettings.model_validate({"type": "pos_csv", "path": file.parent, "quiet_s": 0} | settings)
    size_mb = file.stat().st_size / 1e6
    before_mb = _peak_mb()
    began = time.perf_counter()
    first_s = 0.0
    levels = 0
    for page in PosCsvChannel("till", chosen).read_all():
        first_s = first_s or time.perf_counter() - began
        levels += len(page.levels)
    took_s = time.perf_counter() - began
    assert levels == rows, f"{levels} levels of {rows} rows"
    print(
        f"{name}: {rows} rows, {size_mb:.1f} MB: {took_s:.2f} s ({rows / took_s:,.0f} rows/s), "
        f"first page after {first_s:.2f} s, {_peak_mb() - before_mb:.0f} MB added"
    )


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def main() -> None:
    """Measure both layouts."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    for name, write, settings in ((PLAIN, write_plain, {}), (WIDE, write_wide, {"profile": "loyverse"})):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "stock.csv"
            write(file, rows)
            # A process each, because the peak of memory never falls again.
            process = get_context("spawn").Process(target=measure, args=(name, file, rows), kwargs=settings)
            process.start()
            process.join()
            if process.exitcode:
                sys.exit(process.exitcode)


if __name__ == "__main__":
    main()
