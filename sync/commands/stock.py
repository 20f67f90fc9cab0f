"""``celery -A sync stock``: on hand and every channel's level, SKU by SKU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from celery.bin.base import CeleryCommand

from sync.commands import completion
from sync.commands.listing import Cell, Styled, print_list
from sync.commands.output import context_of, figure, json_option, one_line_errors, print_json
from sync.context import Context
from sync.stock.records import Record, State
from sync.storage.store import fold
from sync.views.stock import ListingView, listing_views, stock_rows

#: How a state looks on a terminal.
STYLES = {
    State.SETTLED: "",
    State.PENDING: "yellow",
    State.PAUSED: "yellow",
    State.UNKNOWN: "magenta",
    State.PARKED: "red",
    State.QUARANTINED: "red",
    State.MISSING: "red",
}


@click.command(cls=CeleryCommand)
@click.argument("skus", nargs=-1, shell_complete=completion.skus)
@json_option
@click.pass_context
@one_line_errors
def stock(ctx: click.Context, skus: tuple[str, ...], as_json: bool) -> None:
    """Show what is on hand and what each channel shows, for all SKUs or for those named.

    Where a channel does not show its target, the table says what it shows, what it should show, and why not.
    """
    context = context_of(ctx)
    records: Iterable[Record] = named(context, skus) if skus else context.ledger.every_record()
    if as_json:
        print_json(stock_rows(context, records))
    else:
        _print(context, records)


def named(context: Context, skus: Sequence[str]) -> list[Record]:
    """The records of SKUs that somebody has typed.

    Raises:
        click.ClickException: some are known on no channel.
    """
    records = context.ledger.records(list(dict.fromkeys(fold(sku) for sku in skus)))
    known = {record.folded for record in records}
    strangers = [sku for sku in skus if fold(sku) not in known]
    if strangers:
        raise click.ClickException(f"{', '.join(strangers)}: not known on any channel")
    return records


def _print(context: Context, records: Iterable[Record]) -> None:
    now_ms, paused = context.store.now_ms(), context.pauses.all()
    names = list(context.channels)

    def cells(record: Record) -> list[Cell]:
        views = listing_views(context, record, now_ms, paused)
        return [record.sku, figure(record.on_hand), *(_cell(views[name]) if name in views else "" for name in names)]

    if not print_list(["SKU", "on hand", *names], map(cells, records), right=["on hand", *names]):
        click.echo("Nothing is known yet. Run: celery -A sync reconcile --watch")


def _cell(view: ListingView) -> Cell:
    if view.state is State.SETTLED:
        return str(view.level)
    wanted = "" if view.target in (None, view.level) else f" → {view.target}"
    return Styled(f"{view.level}{wanted} {view.state.value}", STYLES[view.state])
