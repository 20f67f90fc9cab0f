"""``celery -A sync demo``: see it all work before there is a shop to connect."""

from __future__ import annotations

import click
from celery.bin.base import CeleryCommand

from sync.commands.output import app_of, one_line_errors
from sync.commands.serve import need_web


@click.command(cls=CeleryCommand)
@click.option("--skus", default=60, show_default=True, help="How many SKUs the three places share.")
@click.option("--keep", is_flag=True, help="Leave the tour's folder (settings, logs, till files) for a look.")
@click.pass_context
@one_line_errors
def demo(ctx: click.Context, skus: int, keep: bool) -> None:
    """See the worker do its job: a sandbox store, a mock Amazon and a till, with a few sales in between.

    Needs nothing but this package, touches none of your settings, and cleans up after itself.
    """
    need_web()
    # here, for Celery loads all commands to run any, and the sandboxes' web framework takes a fifth of a second
    from sync.commands.tour import tour

    if not tour(app_of(ctx), skus, keep=keep):
        ctx.exit(1)
