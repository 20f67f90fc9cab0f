"""``celery -A sync explain SKU CHANNEL``: why a channel shows what it shows, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from celery.bin.base import CeleryCommand
from rich.text import Text

from sync.commands import completion
from sync.commands.output import console, context_of, figure, json_option, one_line_errors, print_json, table
from sync.views import explain as explaining
from sync.views.explain import Explanation


@click.command(cls=CeleryCommand)
@click.argument("sku", shell_complete=completion.skus)
@click.argument("channel", shell_complete=completion.channels)
@json_option
@click.pass_context
@one_line_errors
def explain(ctx: click.Context, sku: str, channel: str, as_json: bool) -> None:
    """Show the way from what is on hand to what CHANNEL should show of SKU, and how its listing stands there.

    SKU may be ours or the one that the channel uses.
    """
    context = context_of(ctx)
    context.channel(channel)
    records = context.ledger.records([explaining.named(context, sku, channel)])
    if not records:
        raise click.ClickException(f"{sku} is not known on any channel")
    found = explaining.explain(context, records[0], channel)
    if as_json:
        print_json([found.as_row()])
    else:
        _print(found)


def _print(found: Explanation) -> None:
    out, record = console(), found.record
    out.print(Text(f"{record.sku} on {found.channel}", style="bold"))
    for part in found.made_of:
        allows = "not counted" if part.allows is None else f"{part.on_hand} on hand, enough for {part.allows}"
        out.print(Text(f"made of {part.units} {part.sku}: {allows}"))
    if found.last:
        last = found.last
        where = f" at {last.channel}" if last.channel else ""
        out.print(
            Text(f"last change: {last.units:+d}{where}, {last.at:%Y-%m-%d %H:%M:%S} UTC, {last.why} ({last.cause})")
        )
    rows = table(None, ["rule", "units", "what it does", "set in"], right=["units"])
    for step in found.target.steps:
        rows.add_row(step.rule, figure(step.units), Text(step.words), Text(step.source))
    out.print(rows)
    view, read_ms = found.view, found.read_ms
    read = f"{datetime.fromtimestamp(read_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC" if read_ms else ""
    shows = f", shows {view.level} by a reading of {read}" if view and read else ""
    out.print(Text(f"target {figure(found.target.units)}{shows}"))
    out.print(Text(found.words))
