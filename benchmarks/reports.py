"""How long ``stock``, ``plan`` and ``drift`` take on 100,000 SKUs on three channels, and the memory they need.

``python -m benchmarks.reports [skus]``. The limit is 5 s, a new process each, from its start to its last row. One SKU
in ten has moved since the channels were last written, so that plan and drift have something to say of two channels.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from channels import Level
from sync.context import Context
from sync.settings import FILE_VARIABLE, load_settings
from sync.stock.ledger import Window, chunks
from sync.storage import embedded

LIMIT_S = 5.0

SETTINGS = """
authority = "till"
[channels.till]
type = "pos_csv"
path = "pos"
[channels.store]
type = "bigcommerce"
store_hash = "abc123"
access_token = "none"
[channels.amazon]
type = "amazon"
seller_id = "A1"
marketplace_id = "ATVPDKIKX0DER"
client_id = "none"
client_secret = "none"
refresh_token = "none"
"""


def seed(context: Context, skus: int) -> None:
    """Count all SKUs everywhere, then move one in ten at the till."""
    for name, channel in context.channels.items():
        for part in chunks(_names(skus), 1000):
            levels = [Level(sku, f"{name}-{sku}", 10) for sku in part]
            now_ms = context.store.now_ms()
            context.ledger.merge(name, levels, Window(now_ms, now_ms), channel.capabilities, cause="seed")
    for part in chunks(_names(skus, step=10), 1000):
        levels = [Level(sku, f"till-{sku}", 7) for sku in part]
        now_ms = context.store.now_ms()
        context.ledger.merge("till", levels, Window(now_ms, now_ms), context.channel("till").capabilities, cause="seed")


def measure(folder: Path, command: str) -> dict[str, Any]:
    """One command in a process of its own: seconds, rows, peak memory."""
    before = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "sync", command, "--json"], cwd=folder, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        first_s, rows = 0.0, 0
        for line in process.stdout:
            first_s = first_s or time.perf_counter() - before
            rows += line.startswith((b"{", b'[{"'))
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    took_s = time.perf_counter() - before
    return {
        "command": command,
        "rows": rows,
        "first row s": round(first_s, 2),
        "s": round(took_s, 2),
        "cpu s": round(usage.ru_utime + usage.ru_stime, 2),
        "peak MB": round(usage.ru_maxrss / 1024),
        "within": took_s <= LIMIT_S,
    }


def main() -> list[dict[str, Any]]:
    """Measure all three."""
    skus = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(prefix="is-", dir="/tmp") as place:
        folder = Path(place)
        (folder / "pos").mkdir()
        (folder / "sync.toml").write_text(SETTINGS)
        os.environ[FILE_VARIABLE] = str(folder / "sync.toml")
        context = Context(load_settings())
        try:
            seed(context, skus)
            rows = [measure(folder, command) for command in ("stock", "plan", "drift")]
        finally:
            embedded.stop(folder / "var")
    print(f"{skus} SKUs on three channels, one in ten moved; limit {LIMIT_S:g} s")
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    return rows


def _names(skus: int, step: int = 1) -> Iterator[str]:
    return (f"SKU-{number:06}" for number in range(0, skus, step))


if __name__ == "__main__":
    main()
