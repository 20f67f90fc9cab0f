"""``celery -A sync pause`` and ``resume``: leave a channel alone for a while."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from celery.bin.base import CeleryCommand

from sync.bells import Bells
from sync.commands import completion
from sync.commands.output import app_of, context_of, one_line_errors


@click.command(cls=CeleryCommand)
@click.argument("channel", shell_complete=completion.channels)
@click.option("--reading", is_flag=True, help="Do not read it either: sales there are then seen after the pause only.")
@click.pass_context
@one_line_errors
def pause(ctx: click.Context, channel: str, reading: bool) -> None:
    """Stop writing to a channel until it is resumed. Sales there are still read, and reach the other channels.

    Writes that are under way end; what changes meanwhile is written once, after the pause.
    """
    context = context_of(ctx)
    context.channel(channel)
    context.pauses.pause(channel, context.store.now_ms(), reading=reading)
    stopped = "neither read nor written" if reading else "read, and not written"
    click.echo(f"{channel} is {stopped} until: celery -A sync resume {channel}")


@click.command(cls=CeleryCommand)
@click.argument("channel", shell_complete=completion.channels)
@click.pass_context
@one_line_errors
def resume(ctx: click.Context, channel: str) -> None:
    """Write to a paused channel again: one write for each listing that is now wrong."""
    app = app_of(ctx)
    context = app.context
    context.channel(channel)
    ended = context.pauses.resume(channel)
    if ended is None:
        click.echo(f"{channel} was not paused.")
        return
    bells = Bells(app)
    for task in ("sync.pull", "sync.refresh") if ended.reading else ():
        bells.ring(task, channel)
    bells.ring_for_dirty()
    since = datetime.fromtimestamp(ended.since_ms / 1000, UTC)
    waiting = context.worklist.waiting(channel, context.store.now_ms()).dirty
    click.echo(f"{channel} was paused since {since:%Y-%m-%d %H:%M} UTC; {waiting} listings are now looked at.")
