"""``celery -A sync stock``: on hand and every channel's level, SKU by SKU."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from celery.bin.base import CeleryCommand
from rich.text import Text

from sync.commands import completion
from sync.commands.output import console, context_of, figure, json_option, one_line_errors, print_json, table
from sync.context import Context
from sync.stock.records import Record, State
from sync.storage.store import fold
from sync.views.stock import ListingView, listing_views, stock_rows

#: How many rows of a table are measured together, so that a long list appears as it is read.
ROWS_A_TABLE = 500

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
    records: Iterable[Record] = _named(context, skus) if skus else context.ledger.every_record()
    if as_json:
        print_json(stock_rows(context, records))
    else:
        _print(context, records)


def _named(context: Context, skus: Sequence[str]) -> list[Record]:
    records = context.ledger.records(list(dict.fromkeys(fold(sku) for sku in skus)))
    known = {record.folded for record in records}
    strangers = [sku for sku in skus if fold(sku) not in known]
    if strangers:
        raise click.ClickException(f"{', '.join(strangers)}: not known on any channel")
    return records


def _print(context: Context, records: Iterable[Record]) -> None:
    out, now_ms, paused, chunk = console(), context.store.now_ms(), context.pauses.all(), 0
    names = list(context.channels)
    rows = table(None, ["SKU", "on hand", *names], right=["on hand", *names])
    for record in records:
        views = listing_views(context, record, now_ms, paused)
        cells = [_cell(views[name]) if name in views else Text("") for name in names]
        rows.add_row(Text(record.sku), Text(figure(record.on_hand)), *cells)
        if rows.row_count == ROWS_A_TABLE:
            out.print(rows)
            chunk += 1
            rows = table(None, ["SKU", "on hand", *names], right=["on hand", *names])
    if rows.row_count:
        out.print(rows)
    elif not chunk:
        out.print("Nothing is known yet. Run: celery -A sync reconcile --watch")


def _cell(view: ListingView) -> Text:
    if view.state is State.SETTLED:
        return Text(str(view.level))
    wanted = "" if view.target in (None, view.level) else f" → {view.target}"
    return Text(f"{view.level}{wanted} {view.state.value}", style=STYLES[view.state])
