"""Real processes: one that is killed in the middle of a file, and several that want the same files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Shop

#: Reads a folder as a worker does and says what it applied, line by line; "stay" stops it after the first page.
WORKER = """
import sys
from pathlib import Path
from channels.pos_csv import PosCsvChannel, PosCsvSettings

settings = PosCsvSettings(type="pos_csv", path=Path(sys.argv[1]), quiet_s=0)
for page in PosCsvChannel("till", settings).read_all():
    print(page.source, len(page.levels), flush=True)
    if sys.argv[2] == "stay":
        sys.stdin.read()
"""


def worker(folder: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def test_a_worker_killed_in_the_middle_of_a_file_leaves_it_to_the_next_one_at_once(
    shop: Shop, table: Callable[..., str]
) -> None:
    units = {f"SKU{n}": n for n in range(1_500)}
    shop.drop("stock.csv", table(**units))
    with worker(shop.path, "stay") as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "stock.csv 1000\n"
        assert shop.read() == []  # it is alive
        killed.kill()
    assert shop.files("processing") == ["stock.csv"]
    assert shop.levels() == units
    assert (shop.files("processing"), len(shop.files("processed"))) == ([], 1)


def test_several_workers_take_every_file_once(shop: Shop, table: Callable[..., str]) -> None:
    names = [f"stock-{n:02}.csv" for n in range(12)]
    for n, name in enumerate(names):
        shop.drop(name, table(A=n), age_s=60 - n)
    workers = [worker(shop.path, "go") for _ in range(3)]
    said = [process.communicate(timeout=60)[0].split() for process in workers]
    taken = sorted(word for words in said for word in words[::2])
    assert taken == names
    assert len(shop.files("processed")) == len(names)


#: Reads a journal and says the levels of each page; goes on to the next when it is told to.
JOURNAL_WORKER = """
import json, sys
from channels.pos_csv import PosCsvChannel, PosCsvSettings

for page in PosCsvChannel("till", PosCsvSettings.model_validate(json.loads(sys.argv[1]))).read_all():
    print(json.dumps({row.sku: row.units for row in page.levels}), flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("pages", [1, 2, 3, 4])
def test_a_worker_killed_at_any_page_of_a_journal_has_lost_nothing_and_counted_nothing_twice(
    shop: Shop, pages: int
) -> None:
    settings = {"type": "pos_csv", "quiet_s": 0, "kind": "journal", "id_column": "id", "movement": "sold"}
    shop.drop("monday.csv", "id,sku,quantity\n" + "".join(f"{n},SKU{n},1\n" for n in range(1_500)))
    argument = json.dumps(settings | {"path": str(shop.path)})
    seen: list[dict[str, int]] = []
    with subprocess.Popen(
        [sys.executable, "-c", JOURNAL_WORKER, argument],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as killed:
        assert killed.stdin is not None
        assert killed.stdout is not None
        for _ in range(pages):
            if seen:
                killed.stdin.write("go on\n")
                killed.stdin.flush()
            seen.append(json.loads(killed.stdout.readline()))
        killed.kill()
    shop.drop("tuesday.csv", "id,sku,quantity\n7,SKU7,1\nnew,SKU7,1\n")
    seen += [{row.sku: row.units for row in page.levels} for page in shop.read(**settings)]
    levels: dict[str, int] = {}
    for page in seen:
        for sku, units in page.items():
            assert levels.get(sku, 0) >= units  # never a step back
            levels[sku] = units
    assert levels == {f"SKU{n}": -2 if n == 7 else -1 for n in range(1_500)}
    assert len(shop.files("processed")) == 2
