"""``celery -A sync drift``: which listings do not show their target, why, and since when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta

import click
from celery.bin.base import CeleryCommand

from sync.commands import completion
from sync.commands.listing import Cell, in_colour, print_list
from sync.commands.output import context_of, json_option, one_line_errors, print_json, unread
from sync.views.doctor import words_of
from sync.views.drift import ADVICE, PASSING, Drift, Kind, drifts

#: How each kind looks on a terminal.
STYLES = {Kind.HELD: "red", Kind.UNEXPLAINED: "red", Kind.LOST_WRITE: "magenta"}


@click.command(cls=CeleryCommand)
@click.option("--channel", shell_complete=completion.channels, help="Only this channel; without it, all of them.")
@json_option
@click.pass_context
@one_line_errors
def drift(ctx: click.Context, channel: str | None, as_json: bool) -> None:
    """List what does not show its target: on its way, lag, a lost write, someone's edit, a sale not yet seen, or held.

    The units are those that are shown too many (+) or too few (-). The exit code is 0 where nothing drifts that will
    not pass by itself, and 1 where something is held or unexplained.
    """
    context = context_of(ctx)
    kinds: Counter[Kind] = Counter()
    units: Counter[Kind] = Counter()
    names = list(context.named(channel))
    found = _counted(drifts(context, names), kinds, units)
    if as_json:
        print_json(row.as_row() for row in found)
    else:
        _print(found, context.store.now_ms())
        for kind in sorted(kinds, key=list(Kind).index):
            click.echo(f"{kind.value}: {kinds[kind]} listings, {units[kind]} units; {ADVICE[kind]}")
        strange = [name for name in names if not context.ledger.listings(name)]
        for name in strange:
            click.echo(unread(name))
        if not kinds and strange != names:
            click.echo("Every listing shows its target.")
    ctx.exit(int(any(kind not in PASSING for kind in kinds)))


def _counted(found: Iterable[Drift], kinds: Counter[Kind], units: Counter[Kind]) -> Iterator[Drift]:
    for row in found:
        kinds[row.kind] += 1
        units[row.kind] += abs(row.units)
        yield row


def _print(found: Iterable[Drift], now_ms: int) -> None:
    columns = ["SKU", "channel", "shows", "target", "units", "since", "kind", "why"]
    print_list(columns, (_cells(row, now_ms) for row in found), right=["shows", "target", "units", "since"])


def _cells(row: Drift, now_ms: int) -> list[Cell]:
    since = "–" if row.since_ms is None else words_of(timedelta(milliseconds=now_ms - row.since_ms))
    figures = (str(row.level), str(row.target), f"{row.units:+d}", since)
    return in_colour((row.sku, row.channel, *figures, row.kind.value, row.words), STYLES.get(row.kind, ""))
