"""``celery -A sync history SKU``: why on hand is what it is."""

from __future__ import annotations

import click
from celery.bin.base import CeleryCommand
from rich.text import Text

from sync.commands import completion
from sync.commands.output import console, context_of, json_option, one_line_errors, print_json, table
from sync.stock.ledger import Movement
from sync.views.stock import movement_row


@click.command(cls=CeleryCommand)
@click.argument("sku", shell_complete=completion.skus)
@json_option
@click.pass_context
@one_line_errors
def history(ctx: click.Context, sku: str, as_json: bool) -> None:
    """Show every change of a SKU's stock: when, how many, which channel, why."""
    context = context_of(ctx)
    movements = context.ledger.history(sku)
    if as_json:
        print_json(movement_row(movement) for movement in movements)
        return
    if not movements:
        known = context.ledger.records([sku])
        message = "has not been counted by the authority yet" if known else "is not known on any channel"
        raise click.ClickException(f"{sku} {message}")
    print_movements(movements)


def print_movements(movements: list[Movement]) -> None:
    """The movements as a table for people."""
    rows = table(None, ["when (UTC)", "units", "on hand", "channel", "why", "from"], right=["units", "on hand"])
    for movement in movements:
        rows.add_row(
            movement.at.strftime("%Y-%m-%d %H:%M:%S"),
            f"{movement.units:+d}",
            str(movement.on_hand),
            movement.channel,
            movement.why,
            Text(movement.cause),
        )
    console().print(rows)
