"""``celery -A sync recover``: go on after a restored backup or a power cut."""

from __future__ import annotations

import click
from celery.bin.base import CeleryCommand

from sync.commands.output import app_of, one_line_errors
from sync.stock import recovery

#: Seconds in which a worker that is there answers.
ANSWER_S = 2.0


@click.command(cls=CeleryCommand)
@click.option("--end", "end_it", is_flag=True, help="Write channels again though not all has been found out.")
@click.pass_context
@one_line_errors
def recover(ctx: click.Context, end_it: bool) -> None:
    """Find out what has happened since the stock of record was set back.

    For use after a backup was restored or a power cut took the store's last seconds. Stop all workers, run this, start
    them again: they read every channel and its orders anew, write nothing until all is known, and then go on.
    """
    app = app_of(ctx)
    if end_it:
        was = recovery.end(app.context)
        click.echo("Channels are written again." if was else "No recovery is under way.")
        return
    if app.control.inspect(timeout=ANSWER_S).ping():
        raise click.ClickException("workers are running; stop them first, and start them when this has been done")
    listings = recovery.begin(app.context)
    click.echo(
        f"{listings} listings are read anew, and their orders, before anything is written. Start the workers;"
        " their log says when all has been found."
    )
