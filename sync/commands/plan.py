"""``celery -A sync plan`` and ``apply``: what would be written where, and why; and exactly that, done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
from celery.bin.base import CeleryCommand
from rich.text import Text

from sync.bells import Bells
from sync.commands import completion
from sync.commands.listing import Cell, in_colour, print_list
from sync.commands.output import app_of, console, context_of, figure, json_option, one_line_errors, print_json, unread
from sync.context import Context
from sync.guard.verdicts import Verdict
from sync.guard.verdicts import apply as verdicts_of
from sync.views.plan import PlanRow
from sync.views.plan import plan as plan_of
from sync.views.planfile import read_plan, write_plan


@click.command(cls=CeleryCommand)
@click.option("--channel", shell_complete=completion.channels, help="Only this channel; without it, all of them.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Keep it in a file, for apply.")
@json_option
@click.pass_context
@one_line_errors
def plan(ctx: click.Context, channel: str | None, out: Path | None, as_json: bool) -> None:
    """Show what would be written where, and why, as the stock of record stands. Writes nothing to any channel.

    It rests on the last readings: for the newest, run first: celery -A sync reconcile --watch
    """
    context = context_of(ctx)
    names = list(context.named(channel))
    totals: Counter[tuple[str, str]] = Counter()
    rows = _counted(plan_of(context, *names), totals)
    if out is not None:
        rows = write_plan(out, names, rows, context.store.now_ms())
    if as_json:
        print_json(row._asdict() for row in rows)
        return
    shown = console()
    if out is None:
        _print(rows)
    else:
        written = sum(1 for _ in rows)
        words = f"{written} writes stand in {out}. Do those whose base has not moved: celery -A sync apply {out}"
        shown.print(Text(words))
    for name in names:
        shown.print(_summary(context, name, totals))


@click.command(cls=CeleryCommand)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@click.pass_context
@one_line_errors
def apply(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Do the writes of a plan, but for those whose base has moved since; workers do them.

    A channel that waits for approval is written as far as this plan goes. Lines may be taken out of the file before.
    The exit code is 1 if any row was refused.
    """
    app = app_of(ctx)
    counts: Counter[bool] = Counter()
    verdicts = _tallied(verdicts_of(app.context, read_plan(file)), counts)
    if as_json:
        print_json(verdict.row._asdict() | {"refused": verdict.refused or None} for verdict in verdicts)
    else:
        _print_refused(verdict for verdict in verdicts if verdict.refused)
        click.echo(f"{counts[False]} writes are let through, {counts[True]} refused.")
    Bells(app).ring_for_dirty()
    if counts[True]:
        ctx.exit(1)


def _tallied(verdicts: Iterable[Verdict], counts: Counter[bool]) -> Iterator[Verdict]:
    for verdict in verdicts:
        counts[bool(verdict.refused)] += 1
        yield verdict


def _print_refused(refused: Iterable[Verdict]) -> None:
    rows = ((row.sku, row.channel, str(row.target), why) for row, why in refused)
    print_list(["SKU", "channel", "target", "refused because"], rows, right=["target"])


def direction(row: PlanRow) -> str:
    """Which way a write goes: ``to zero``, ``down`` or ``up``."""
    return "to zero" if row.target == 0 else "down" if row.target < row.level else "up"


def _counted(rows: Iterable[PlanRow], totals: Counter[tuple[str, str]]) -> Iterator[PlanRow]:
    for row in rows:
        totals[row.channel, direction(row)] += 1
        yield row


def _print(rows: Iterable[PlanRow]) -> None:
    columns = ["SKU", "channel", "shows", "target", "on hand", "why"]
    print_list(columns, map(_cells, rows), right=["shows", "target", "on hand"])


def _cells(row: PlanRow) -> list[Cell]:
    cells = (row.sku, row.channel, str(row.level), str(row.target), figure(row.on_hand), row.why)
    return in_colour(cells, "red" if row.target == 0 else "")


def _summary(context: Context, name: str, totals: Counter[tuple[str, str]]) -> str:
    counts = {which: totals[name, which] for which in ("to zero", "down", "up")}
    writes = sum(counts.values())
    words = f"{name}: {writes} writes: {', '.join(f'{n} {which}' for which, n in counts.items() if n)}"
    if not context.channel(name).capabilities.writes:
        return f"{name}: is only read"
    if not context.ledger.listings(name):
        return unread(name)
    pause = context.pauses.of(name)
    return (words if writes else f"{name}: nothing to write") + (f" ({pause.words})" if pause else "")
