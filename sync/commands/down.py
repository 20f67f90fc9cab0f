"""``celery -A sync down``: stop the embedded store."""

from __future__ import annotations

import click
from celery.bin.base import CeleryCommand

from sync.commands.output import context_of, one_line_errors
from sync.storage import embedded


@click.command(cls=CeleryCommand)
@click.pass_context
@one_line_errors
def down(ctx: click.Context) -> None:
    """Stop the embedded store that other commands have started. Its data stays in data_dir."""
    settings = context_of(ctx).settings
    if settings.redis_url is not None:
        raise click.ClickException("redis_url is set, so the store is not ours to stop")
    stopped = embedded.stop(settings.data_dir)
    click.echo("The embedded store has stopped." if stopped else "No embedded store was running.")
