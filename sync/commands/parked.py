"""``celery -A sync parked`` and ``retry``: listings that are not written, why, and another try."""

from __future__ import annotations

import click
from celery.bin.base import CeleryCommand

from sync.bells import Bells
from sync.commands import completion
from sync.commands.listing import Cell, print_list
from sync.commands.output import app_of, context_of, figure, json_option, one_line_errors, print_json
from sync.commands.stock import named
from sync.stock.records import State
from sync.storage.store import fold
from sync.views.stock import HeldView, held, held_row

#: What people can do about each state.
ADVICE = {
    State.PARKED: "mend it at the channel, then: celery -A sync retry",
    State.QUARANTINED: "give each SKU one listing there, and count it at the authority",
    State.MISSING: "it is written again when the channel shows it again",
}


@click.command(cls=CeleryCommand)
@json_option
@click.pass_context
@one_line_errors
def parked(ctx: click.Context, as_json: bool) -> None:
    """List what is not written, and why: parked, quarantined and missing listings."""
    context = context_of(ctx)
    found = held(context, context.ledger.every_record())
    if as_json:
        print_json(held_row(view) for view in found)
        return
    states = set[State]()

    def cells(view: HeldView) -> list[Cell]:
        states.add(view.state)
        figures = (str(view.level), figure(view.target), str(view.at_risk))
        return [view.sku, view.channel, view.state.value, *figures, view.words]

    columns = ["SKU", "channel", "state", "level", "target", "at risk", "why"]
    print_list(columns, map(cells, found), right=["level", "target", "at risk"])
    for state in sorted(states):
        click.echo(f"{state.value}: {ADVICE[state]}")
    if not states:
        click.echo("Nothing is held back.")


@click.command(cls=CeleryCommand)
@click.argument("skus", nargs=-1, shell_complete=completion.skus)
@click.option("--channel", shell_complete=completion.channels, help="Only on this channel; without it, on all of them.")
@click.pass_context
@one_line_errors
def retry(ctx: click.Context, skus: tuple[str, ...], channel: str | None) -> None:
    """Try parked listings again: all of them, or those of the SKUs named."""
    app = app_of(ctx)
    context = app.context
    known = named(context, skus)
    freed = 0
    for name in context.named(channel):
        names = [record.folded for record in known] or [
            fold(view.sku) for view in held(context, context.ledger.every_record()) if view.channel == name
        ]
        freed += context.writes.retry(name, names, context.store.now_ms())
    if freed:
        Bells(app).ring_for_dirty()
        click.echo(f"{freed} parked listings are tried again.")
    else:
        click.echo("Nothing of this is parked." if skus or channel else "Nothing is parked.")
