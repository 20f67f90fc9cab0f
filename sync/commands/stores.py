"""``celery -A sync stores``: which stores have installed the marketplace app, and how they stand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click
from celery.bin.base import CeleryCommand
from rich.text import Text

from sync.commands.output import console, context_of, json_option, one_line_errors, print_json, table
from sync.context import Context

#: What can be done about each state.
ADVICE = {
    "waiting": "add its hash to oauth.stores and restart, if it is to share this stock of record",
    "locked": "no key of oauth.encryption_keys opens its token: add the key, or have the app installed again",
}


@click.command(cls=CeleryCommand)
@click.option("--rotate", is_flag=True, help="Encrypt all tokens with the first of oauth.encryption_keys.")
@json_option
@click.pass_context
@one_line_errors
def stores(ctx: click.Context, rotate: bool, as_json: bool) -> None:
    """List the stores that have installed the marketplace app: joined, waiting, locked or uninstalled.

    With --rotate the exit code is 1 where a token was left that no key opens.
    """
    context = context_of(ctx)
    if context.settings.oauth is None:
        raise click.ClickException("there is no app: [oauth] is not set; see docs/oauth.md")
    if rotate:
        done, lost = context.stores.rotate()
        click.echo(f"{done} tokens are encrypted with the first key; {lost} could not be opened.", err=True)
        if lost:
            ctx.exit(1)
        return
    rows = list(_rows(context))
    if as_json:
        print_json(rows)
        return
    shown = table(None, ["store", "channel", "state", "since (UTC)", "scopes"])
    for row in rows:
        since = str(row["since"])[:16].replace("T", " ")
        cells = (row["store"], row["channel"], row["state"], since, " ".join(row["scopes"]))
        shown.add_row(*(Text(str(cell)) for cell in cells))
    out = console()
    out.print(shown if rows else "No store has installed the app.")
    for state in sorted({row["state"] for row in rows} & set(ADVICE)):
        out.print(f"{state}: {ADVICE[state]}")


def _rows(context: Context) -> Iterator[dict[str, Any]]:
    for one in context.stores.all()[1]:
        since = datetime.fromtimestamp((one.removed_ms or one.installed_ms) / 1000, UTC)
        yield {
            "store": one.store_hash,
            "channel": one.channel,
            "state": context.stores.state(one),
            "since": since.isoformat(timespec="seconds"),
            "scopes": list(one.scopes),
        }
