"""The tour of ``celery -A sync demo``: three places that disagree, a few sales, and one stock in the end."""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.text import Text

from channels.amazon.sandbox import AmazonSandbox
from channels.bigcommerce.sandbox import BigCommerceSandbox
from channels.pos_csv.sandbox import Till
from sync.celery import SyncApp
from sync.commands.history import print_movements
from sync.commands.output import console, table
from sync.commands.reconcile import ask, watch_progress
from sync.commands.sandbox import TRUST, settings_table
from sync.commands.up import process_lines, processes
from sync.settings import FILE_VARIABLE
from sync.storage import embedded
from sync.views.progress import progress

#: How long one reconcile of the tour may take, in seconds.
PATIENCE_S = 30.0

#: Seconds after booking adjustments before the till counts: its files say the second, not the moment.
COUNT_S = 1.1


def tour(app: SyncApp, skus: int, *, keep: bool) -> bool:
    """Give it, in a folder that goes away unless it is to be kept. Gives whether all agree in the end.

    Raises:
        click.ClickException: a channel is in trouble.
    """
    with _folder(keep) as folder, _World.open(folder, skus) as world:
        _use_settings_of(folder)
        return _tour(app, world, folder)


def _tour(app: SyncApp, world: _World, folder: Path) -> bool:
    say = click.echo
    say(f"A store, Amazon and a till share {len(world.skus)} SKUs, and disagree about most of them.")
    before = world.levels()
    with (folder / "worker.log").open("wb") as log, processes(process_lines("INFO").values(), output=log):
        _await_worker(app)
        say("\nThe worker reads all three. The till is the authority; the others are brought to its counts:")
        _reconcile(app)
        say("\nNow all three sell at once, and the till drops its next file:")
        for line in world.trade():
            say(f"  {line}")
        _reconcile(app, "store", "amazon")
        say("\nThe till books what was sold elsewhere, counts, and drops a file once more:")
        while _await_told(app):  # of a second sale of a SKU it is told when it has counted the first
            world.till.take_adjustments()
            time.sleep(COUNT_S)
            world.till.export()
        _reconcile(app)
    after = world.levels()
    on_hand = {record.folded: record.on_hand for record in app.context.ledger.every_record()}
    say("")
    _print_levels(world.skus, on_hand, before, after)
    say(f"\nWhy {world.busiest} is what it is (celery -A sync history {world.busiest}):\n")
    print_movements(app.context.ledger.history(world.busiest))
    wrong = [
        sku for sku in world.skus if {on_hand.get(sku.casefold())} != {levels.get(sku) for levels in after.values()}
    ]
    if wrong:
        say(f"\n{len(wrong)} SKUs do not agree: {', '.join(wrong[:10])}. See {folder / 'worker.log'}", err=True)
    else:
        say(f"\nAll {len(world.skus)} SKUs agree on all three channels, and every unit sold is accounted for.")
    return not wrong


def _reconcile(app: SyncApp, *until_agreed: str) -> None:
    """Reconcile everything, and wait until these channels (or all of them) agree."""
    asked_ms = ask(app, None)
    found = watch_progress(app, until_agreed or list(app.context.channels), asked_ms, PATIENCE_S)
    for one in found:
        if one.trouble:
            raise click.ClickException(one.trouble)


def _await_worker(app: SyncApp) -> None:
    """Wait until the worker has started; who watches a reconcile waits less long for it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and not app.control.ping(timeout=1, limit=1):
        pass


def _await_told(app: SyncApp) -> bool:
    """Wait until the till has been read and told of what was sold elsewhere. Gives whether it has yet to count it."""
    asked_ms, deadline = ask(app, "till"), time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        (till,) = progress(app.context, ["till"], asked_ms)
        if till.read and not till.dirty:
            return till.open > 0
        time.sleep(0.1)
    return False


def _print_levels(
    skus: Sequence[str],
    on_hand: dict[str, int | None],
    before: dict[str, dict[str, int]],
    after: dict[str, dict[str, int]],
) -> None:
    columns = [f"{name} {when}" for name in before for when in ("before", "after")]
    rows = table(None, ["SKU", "on hand", *columns], right=["on hand", *columns])
    for sku in skus:
        cells = []
        for name in before:
            was, now = before[name].get(sku), after[name].get(sku)
            cells += [Text(str(was), style="dim"), Text(str(now), style="bold" if was != now else "")]
        rows.add_row(sku, str(on_hand.get(sku.casefold())), *cells)
    console().print(rows)


@dataclass(slots=True)
class _World:
    """The three places of the tour, as they truly are."""

    store: BigCommerceSandbox
    amazon: AmazonSandbox
    till: Till
    skus: list[str]

    @classmethod
    @contextmanager
    def open(cls, folder: Path, count: int) -> Iterator[_World]:
        """Seed the three places, each with numbers of its own, serve them, and write the settings for them."""
        draw = random.Random(2026)  # noqa: S311 - the same tour each time
        world = cls(
            BigCommerceSandbox(),
            AmazonSandbox(visible_after_s=0.3, rate_scale=20),
            Till(folder / "pos"),
            [],
        )
        world._seed(draw, count)
        world.till.export()
        with world.store.serve() as store_url, world.amazon.serve() as amazon_url:
            tables = [
                'authority = "till"\n',
                TRUST,
                settings_table("store", world.store.settings(store_url)) + "settle_s = 0.3\n",
                settings_table("amazon", world.amazon.settings(amazon_url)) + "settle_s = 0.5\n",
                settings_table("till", {"type": "pos_csv", "path": "pos"}) + "writes = true\n",
            ]
            (folder / "sync.toml").write_text("\n".join(tables), "utf-8")
            yield world

    def _seed(self, draw: random.Random, count: int) -> None:
        colours = ("RED", "BLUE", "GREEN", "BLACK")
        numbers = iter(range(1, count + 1))
        for number in numbers:
            if number % 3 == 1 and number + len(colours) <= count:  # a product with variants
                skus = [f"SHIRT-{number:02}-{colour}" for colour in colours]
                self.store.store.add_product(
                    f"Shirt {number}", tracking="variant", variants={sku: draw.randint(0, 30) for sku in skus}
                )
                for _ in skus[1:]:
                    next(numbers)
            else:
                skus = [f"MUG-{number:02}"]
                self.store.store.add(skus[0], draw.randint(0, 30))
            for sku in skus:
                self.amazon.account.put(sku, draw.randint(0, 30))
                self.till.count(sku, draw.randint(5, 40))
                self.skus.append(sku)

    @property
    def busiest(self) -> str:
        """The SKU that all three sell."""
        return self.skus[0]

    def trade(self) -> Iterator[str]:
        """A few sales on each channel, and a delivery; each in words."""
        one, two, three, *_ = self.skus
        for sku, units in ((one, 2), (two, 1)):
            self.store.store.sell(sku, units)
            yield f"the store sells {units} of {sku}"
        for sku, units in ((one, 1), (three, 3)):
            self.amazon.account.sell(sku, units)
            yield f"Amazon sells {units} of {sku}"
        self.till.sell(one, 1)
        yield f"the till sells 1 of {one}"
        self.till.restock(self.skus[-1], 12)
        yield f"12 of {self.skus[-1]} are delivered to the shop"
        file = self.till.export()
        yield f"the till exports {file.name if file else 'nothing'}"

    def levels(self) -> dict[str, dict[str, int]]:
        """What each place truly shows, asked of the places themselves."""
        return {
            "store": dict(self.store.store.levels()),
            "amazon": {sku: self.amazon.account.shown(sku) or 0 for sku in self.skus},
            "till": dict(self.till.stock),
        }


@contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="inventory-sync-demo-"))
    try:
        yield folder
    finally:
        embedded.stop(folder / "var")
        if keep or sys.exc_info()[0]:
            click.echo(f"\nThe tour's folder is {folder}")
        else:
            shutil.rmtree(folder)


def _use_settings_of(folder: Path) -> None:
    """From here on, in this process and its children, only the tour's own settings count."""
    for name in list(os.environ):
        if name.startswith("SYNC_"):
            del os.environ[name]
    os.environ[FILE_VARIABLE] = str(folder / "sync.toml")
