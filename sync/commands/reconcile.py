"""``celery -A sync reconcile``: ask for a reading of every channel and for whatever is then wrong to be pushed."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence

import click
from celery.bin.base import CeleryCommand
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from sync.celery import SyncApp
from sync.commands import completion
from sync.commands.output import app_of, one_line_errors
from sync.guard.holds import Kind
from sync.legible import shown
from sync.readings import Pulls
from sync.stock import recovery
from sync.views.progress import ChannelProgress, progress
from sync.views.stock import held

#: How often the store is asked how far things are, in seconds.
LOOK_S = 0.2

#: Seconds without any progress after which a watcher asks whether a worker is there at all.
SILENCE_S = 10.0


@click.command(cls=CeleryCommand)
@click.option("--channel", shell_complete=completion.channels, help="Only this channel; without it, all of them.")
@click.option("--watch", is_flag=True, help="Stay until everything agrees or a channel is in trouble.")
@click.option("--timeout", type=float, default=3600, show_default=True, help="Seconds after which --watch gives up.")
@click.pass_context
@one_line_errors
def reconcile(ctx: click.Context, channel: str | None, watch: bool, timeout: float) -> None:
    """Read every channel and push whatever is then wrong. The work is done by the workers.

    With --watch the exit code is 0 when all channels agree, and 1 when one is in trouble or paused, when something
    waits for approval, when listings are held back, or when time is up.
    """
    app = app_of(ctx)
    asked_ms = ask(app, channel)
    names = list(app.context.named(channel))
    if not watch:
        click.echo(f"Asked for {', '.join(names)}. See how it goes: celery -A sync stock")
        return
    if recovery.under_way(app.context.store):
        click.echo("A recovery is under way: nothing is written before all that happened has been found.")
    found = watch_progress(app, names, asked_ms, timeout)
    for one in found:
        if one.trouble:
            click.echo(f"{one.name} is in trouble: {shown(one.trouble)}", err=True)
        elif not one.done:
            click.echo(f"{one.name} is not done: {_words(one)}", err=True)
    back = Counter(view.channel for view in held(app.context, app.context.ledger.every_record()))
    for name in names:
        if back[name]:
            click.echo(f"{name}: {back[name]} listings are not written; see why: celery -A sync parked", err=True)
    stopped = [hold for hold in app.context.holds.open_ones() if hold.channel in names]
    for hold in stopped:
        if hold.kind in (Kind.FIRST_CONTACT, Kind.PLAN):
            continue  # the channel's own line tells of it
        words = f"{hold.channel}: hold {hold.id} ({hold.kind.value}) waits for a person; see: celery -A sync holds"
        click.echo(words, err=True)
    if stopped or not all(one.done for one in found) or any(back[name] for name in names):
        ctx.exit(1)


def ask(app: SyncApp, channel: str | None) -> int:
    """Ask for a reconcile now, channels in trouble included. Returns when (ms by the store's clock).

    Raises:
        sync.errors.BrokerError: the broker does not answer.
    """
    context = app.context
    for name in context.named(channel):
        context.breaker.try_now(name)
    asked_ms = context.store.now_ms()
    for name in context.named(channel):
        Pulls(context.store).want(name, asked_ms)  # stands in the store before anybody is rung for
    app.send_task("sync.reconcile", kwargs={"channel": channel})
    return asked_ms


def watch_progress(app: SyncApp, names: Sequence[str], asked_ms: int, timeout_s: float) -> list[ChannelProgress]:
    """Show how far things are until nothing more happens by itself.

    Raises:
        click.ClickException: no worker is there.
    """
    deadline = time.monotonic() + timeout_s
    seen: list[ChannelProgress] = []
    moved_at = time.monotonic()
    with _Display(names) as show:
        while True:
            found = progress(app.context, names, asked_ms)
            show(found)
            if all(one.settled for one in found) or time.monotonic() > deadline:
                return found
            if found != seen:
                seen, moved_at = found, time.monotonic()
            elif time.monotonic() - moved_at > SILENCE_S:
                if not app.control.inspect(timeout=5).ping():
                    raise click.ClickException("no worker answers; start one: celery -A sync worker")
                moved_at = time.monotonic()
            time.sleep(LOOK_S)


class _Rate(ProgressColumn):
    """Listings a second."""

    def render(self, task: Task) -> Text:
        """See :class:`ProgressColumn`."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f}/s" if speed and not task.finished else "", style="progress.data.speed")


class _Display:
    """A progress bar for each channel on a terminal, a plain line for each change elsewhere."""

    def __init__(self, names: Sequence[str]) -> None:
        self._bars = None
        self._lines: dict[str, str] = {}
        if sys.stdout.isatty():
            columns = (
                TextColumn("{task.fields[name]}"),
                BarColumn(),
                _Rate(),
                TimeRemainingColumn(),
                TextColumn("{task.description}"),
            )
            self._bars = Progress(*columns)
            self._tasks = {name: self._bars.add_task("", total=None, name=name) for name in names}
            self._most: dict[str, int] = {}

    def __enter__(self) -> Callable[[Sequence[ChannelProgress]], None]:
        if self._bars:
            self._bars.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    def _show(self, found: Sequence[ChannelProgress]) -> None:
        for one in found:
            words = _words(one)
            if self._bars:
                self._draw(self._bars, self._tasks[one.name], one)
                self._bars.update(self._tasks[one.name], description=words)
            elif self._lines.get(one.name) != words:
                self._lines[one.name] = words
                click.echo(f"{one.name}: {words}")

    def _draw(self, bars: Progress, task: TaskID, one: ChannelProgress) -> None:
        """First how much has been read, then how much of what was to be written is."""
        if not one.read:
            bars.update(task, total=max(one.expected, one.rows) or None, completed=one.rows)
            return
        left = one.dirty + one.open
        if one.name not in self._most:
            bars.reset(task)  # another kind of work, at another rate
        most = self._most[one.name] = max(self._most.get(one.name, 1), left)
        bars.update(task, total=most, completed=most - left)


def _words(one: ChannelProgress) -> str:
    if one.trouble:
        return "in trouble"
    if one.done:
        return f"{one.rows} listings read, all done" if one.rows else "no news, all done"
    parts = [] if one.read else [f"reading, {one.rows} listings so far"]
    if one.dirty:
        parts.append(f"{one.dirty} to push")
    if one.open:
        parts.append(f"{one.open} to be confirmed")
    if one.waits:
        parts.append(one.waits)
    return ", ".join(parts)
