"""``celery -A sync holds``, ``approve`` and ``discard``: what the guard has stopped, and a person's decision."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import click
from celery.bin.base import CeleryCommand
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sync.bells import Bells
from sync.celery import SyncApp
from sync.commands import completion
from sync.commands.output import app_of, console, context_of, figure, json_option, one_line_errors, print_json, table
from sync.guard import decisions
from sync.guard.holds import HeldRun, Kind

#: How many rows of a sample are shown to people; programs get all that is kept.
SHOWN = 5

#: What people can do about each kind.
ADVICE = {
    Kind.READING: "approve: the channel is read again and believed; discard: it is not believed",
    Kind.FILE: "approve: its rows are taken, as of its count; discard: nothing of it is",
    Kind.SET_ASIDE: "let the till export it again; discard: only take it off this list",
    Kind.FIRST_CONTACT: "see celery -A sync plan; approve: they are written; discard: they are parked",
    Kind.PLAN: "see celery -A sync plan; approve: they are written; discard: they are parked",
}


@click.command(cls=CeleryCommand)
@click.option("--all", "everything", is_flag=True, help="Also those of the last 30 days that were decided.")
@json_option
@click.pass_context
@one_line_errors
def holds(ctx: click.Context, everything: bool, as_json: bool) -> None:
    """List what the guard has stopped and waits for a person. The exit code is 0 whether or not there is any."""
    context = context_of(ctx)
    found: Iterable[HeldRun] = context.holds.all() if everything else context.holds.open_ones()
    if as_json:
        print_json(map(row, found))
        return
    out, count = console(), 0
    for hold in found:
        count += 1
        _print(out, hold)
    if not count:
        out.print("Nothing is held.")


@click.command(cls=CeleryCommand)
@click.argument("hold", metavar="ID", shell_complete=completion.holds)
@click.pass_context
@one_line_errors
def approve(ctx: click.Context, hold: str) -> None:
    """Let what was held pass, as far as it is no worse now than what you have seen.

    A channel is read again now, a file's rows are taken as of their count, a plan is written as it is by then.
    Approving again changes nothing and ends with 0; what was discarded cannot be approved.
    """
    app = app_of(ctx)
    found = decisions.find(app.context, hold)
    fresh = decisions.approve(app.context, found, decisions.operator())
    _ring(app, found)
    click.echo(f"Hold {hold} ({found.kind.value} of {found.channel}) is approved{'' if fresh else ', as it was'}.")


@click.command(cls=CeleryCommand)
@click.argument("hold", metavar="ID", shell_complete=completion.holds)
@click.pass_context
@one_line_errors
def discard(ctx: click.Context, hold: str) -> None:
    """Drop what was held. A channel goes on being read, and is believed once it shows something plausible.

    Writes that are discarded are parked, until their numbers change or: celery -A sync retry
    """
    app = app_of(ctx)
    found = decisions.find(app.context, hold)
    fresh = decisions.discard(app.context, found, decisions.operator())
    click.echo(f"Hold {hold} ({found.kind.value} of {found.channel}) is discarded{'' if fresh else ', as it was'}.")


def row(hold: HeldRun) -> dict[str, Any]:
    """A row of ``holds --json``."""
    return {
        "id": hold.id,
        "kind": hold.kind.value,
        "channel": hold.channel,
        "state": hold.state,
        "opened_at": _at(hold.opened_ms),
        "seen_at": _at(hold.seen_ms),
        "times": hold.times,
        "source": hold.source,
        "findings": list(hold.words),
        "figures": {name: number for name, number in hold.figures._asdict().items() if number},
        "sample": list(hold.sample),
        "decided_at": _at(hold.decided_ms) if hold.decided_ms else None,
        "decided_by": hold.by or None,
    }


def _print(out: Console, hold: HeldRun) -> None:
    again = f", {hold.times} times since" if hold.times > 1 else ""
    state = "" if hold.is_open else f", {hold.state} by {hold.by} at {_minute(hold.decided_ms)}"
    head = f"{hold.id}  {hold.channel}: {hold.kind.value}, {_minute(hold.opened_ms)} UTC{again}{state}"
    out.print(Text(head, style="bold" if hold.is_open else "dim"))
    for words in hold.words:
        out.print(Text(f"   {words}"))
    if hold.sample and hold.is_open:
        out.print(_sample(hold))
    if hold.is_open:
        out.print(Text(f"   {ADVICE[hold.kind]}", style="dim"))


def _sample(hold: HeldRun) -> Table:
    made = table(None, ["   SKU", "was", "would be"], right=["was", "would be"])
    for line in hold.sample[:SHOWN]:
        made.add_row(Text(f"   {line['sku']}"), figure(line["was"]), figure(line["is"]))
    return made


def _ring(app: SyncApp, hold: HeldRun) -> None:
    bells = Bells(app)
    if hold.kind is Kind.READING:
        for task in ("sync.pull", "sync.refresh"):
            bells.ring(task, hold.channel)
    bells.ring_for_dirty()


def _at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


def _minute(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"
