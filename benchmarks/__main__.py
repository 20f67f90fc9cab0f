"""``python -m benchmarks [NAME ...]``: run all benchmarks, or these, one after the other.

Each prints its table. What its ``main`` returns, or else what it printed, is kept in ``benchmarks/results/NAME.json``.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import pkgutil
import sys
from pathlib import Path
from typing import TextIO

RESULTS = Path(__file__).parent / "results"


class Tee(io.StringIO):
    """Keeps what is printed, and prints it."""

    def __init__(self, through: TextIO) -> None:
        super().__init__()
        self._through = through

    def write(self, text: str) -> int:
        self._through.write(text)
        self._through.flush()
        return super().write(text)


def run(name: str) -> None:
    """Run one benchmark, if that is what the module is."""
    main = getattr(importlib.import_module(f"benchmarks.{name}"), "main", None)
    if main is None:
        return
    print(f"\n== {name}", flush=True)
    sys.argv = [name]
    with contextlib.redirect_stdout(Tee(sys.stdout)) as printed:
        figures = main()
    found = {"printed": printed.getvalue().splitlines()} if figures is None else figures
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)])):
        if wanted != "__main__":
            run(wanted)
