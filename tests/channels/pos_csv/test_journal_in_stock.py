"""A journal beside the count that opened the stock of record: each line moves on hand once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from channels import Level, Page
from sync.context import Context
from sync.deadline import Deadline
from sync.guard.watch import Watch
from sync.pull import pull
from sync.settings import FILE_VARIABLE, load_settings
from sync.stock.ledger import Window
from sync.storage import embedded
from sync.storage.store import Store

SETTINGS = """
authority = "warehouse"
redis_url = "{url}"

[channels.warehouse]
type = "pos_csv"
path = "warehouse"
quiet_s = 0

[channels.till]
type = "pos_csv"
path = "till"
quiet_s = 0
kind = "journal"
id_column = "id"
movement = "sold"
"""


class Shopkeeper:
    """Drops files and looks at the stock of record."""

    def __init__(self, folder: Path, context: Context) -> None:
        self.folder = folder
        self.context = context

    def counted(self, name: str, text: str) -> None:
        self._drop("warehouse", name, f"sku,quantity\n{text}")

    def sold(self, name: str, text: str) -> None:
        self._drop("till", name, f"id,sku,quantity\n{text}")

    def on_hand(self) -> dict[str, int | None]:
        return {record.sku: record.on_hand for record in self.context.ledger.every_record()}

    def why(self, sku: str) -> list[tuple[str, int, str]]:
        return [(moved.channel, moved.units, moved.cause) for moved in self.context.ledger.history(sku)]

    def _drop(self, channel: str, name: str, text: str) -> None:
        (self.folder / channel / name).write_text(text)
        assert pull(self.context, channel, Deadline(60))


@pytest.fixture
def shopkeeper(tmp_path: Path, data_dir: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shopkeeper]:
    for channel in ("warehouse", "till"):
        (tmp_path / channel).mkdir()
    (tmp_path / "sync.toml").write_text(SETTINGS.format(url=embedded.url(data_dir)))
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "sync.toml"))
    context = Context(load_settings())
    yield Shopkeeper(tmp_path, context)
    context.store.close()


def test_sales_and_returns_of_a_journal_move_what_was_counted_elsewhere(shopkeeper: Shopkeeper) -> None:
    shopkeeper.counted("count.csv", "A,10\nB,5\n")
    shopkeeper.sold("monday.csv", "1,A,2\n2,B,1\n")
    shopkeeper.sold("tuesday.csv", "2,B,1\n3,A,-1\n4,B,1\n")
    assert shopkeeper.on_hand() == {"A": 9, "B": 3}
    assert shopkeeper.why("B") == [
        ("warehouse", 5, "count.csv"),
        ("till", -1, "monday.csv"),
        ("till", -1, "tuesday.csv"),
    ]


def test_sales_before_the_first_count_are_in_that_count_already(shopkeeper: Shopkeeper) -> None:
    shopkeeper.sold("monday.csv", "1,A,2\n")
    assert shopkeeper.on_hand() == {"A": None}
    shopkeeper.counted("count.csv", "A,10\n")
    shopkeeper.sold("tuesday.csv", "2,A,3\n")
    assert shopkeeper.on_hand() == {"A": 7}


def test_a_lost_stock_of_record_is_rebuilt_by_a_count_and_later_lines_move_it(
    shopkeeper: Shopkeeper, store: Store
) -> None:
    shopkeeper.counted("count.csv", "A,10\n")
    shopkeeper.sold("monday.csv", "1,A,2\n")
    store.client.flushall()
    shopkeeper.counted("count again.csv", "A,8\n")
    shopkeeper.sold("tuesday.csv", "2,A,3\n")
    assert shopkeeper.on_hand() == {"A": 5}


def test_only_what_falls_to_zero_waits_for_the_end_of_a_journal(shopkeeper: Shopkeeper) -> None:
    skus = [f"SKU{number}" for number in range(20)]
    shopkeeper.counted("count.csv", "".join(f"{sku},50\n" for sku in skus))
    shopkeeper.sold("in and out.csv", "".join(f"{sku},{sku},{-5 if sku < 'SKU15' else 1}\n" for sku in skus))
    context, now_ms = shopkeeper.context, shopkeeper.context.store.now_ms()
    watch = Watch(context, context.channel("till"), now_ms)
    levels = {sku: 0 if sku < "SKU15" else -2 for sku in skus}
    page = Page([Level(sku, sku.casefold(), units) for sku, units in levels.items()])
    merged = watch.take(page, Window(now_ms, now_ms), "a file")
    assert {row.level.sku for row in merged.withheld} == {sku for sku in skus if levels[sku] == 0}
    assert (merged.counts["moved"], merged.counts["fell"]) == (13, 7)
    assert not watch.ends(20, 0)  # 7 of 20 are more than are let pass
    assert shopkeeper.on_hand() == {sku: 55 if level == 0 else 48 for sku, level in levels.items()}
