"""``celery -A sync doctor``: whether all is as it must be, and what to do where it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import click
from celery.bin.base import CeleryCommand
from rich.console import Console
from rich.table import Table
from rich.text import Text

from channels.diagnosis import Finding, Severity
from sync.commands import completion
from sync.commands.output import app_of, console, json_option, one_line_errors, print_json
from sync.errors import SyncError
from sync.views.doctor import Told, examine, exit_code

#: How each severity looks: a mark, and its style on a terminal.
MARKS = {
    Severity.OK: ("✓", "green"),
    Severity.NOTE: ("·", "cyan"),
    Severity.WARNING: ("!", "yellow"),
    Severity.ERROR: ("✗", "bold red"),
}

#: The severities from the mildest to the worst.
ORDER = list(Severity)

#: The width of the column that says what was looked at.
ABOUT_WIDTH = 16


@click.command(cls=CeleryCommand)
@click.option("--channel", shell_complete=completion.channels, help="Look at this channel alone.")
@json_option
@click.pass_context
@one_line_errors
def doctor(ctx: click.Context, channel: str | None, as_json: bool) -> None:
    """Check the settings, the store, the broker, the processes and every channel, and say what to do.

    Everything is only looked at: no channel is written to, and each is asked a few questions. The exit code is 0
    where nothing is wrong, 1 where there are warnings, and 2 where there are errors.
    """
    counts: Counter[Severity] = Counter()
    told = _counted(_told(ctx, channel), counts)
    if as_json:
        print_json(_row(one) for one in told)
    else:
        _print(console(), told)
        console().print(_sum(counts))
    ctx.exit(exit_code(max(counts, key=ORDER.index, default=Severity.OK)))


def _told(ctx: click.Context, channel: str | None) -> Iterator[Told]:
    """All findings. Settings that are wrong are one, and the last."""
    try:
        app = app_of(ctx)
        yield from examine(app, None if channel is None else list(app.context.named(channel)))
    except SyncError as error:
        for line in error.message.splitlines():
            yield Told("settings", "", Finding(Severity.ERROR, "file", line, "Mend it, and look again."))


def _counted(told: Iterable[Told], counts: Counter[Severity]) -> Iterator[Told]:
    for one in told:
        counts[one.finding.severity] += 1
        yield one


def _row(told: Told) -> dict[str, Any]:
    finding = told.finding
    return {
        "area": told.area,
        "channel": told.channel or None,
        "about": finding.about,
        "severity": finding.severity.value,
        "what": finding.what,
        "advice": finding.advice,
    }


def _print(out: Console, told: Iterable[Told]) -> None:
    """Each finding as it comes, below what it is about."""
    head = ""
    for area, channel, finding in told:
        if head != (head := f"{area} {channel}".strip()):
            out.print(Text(head, style="bold"))
        mark, style = MARKS[finding.severity]
        line = Table.grid(padding=(0, 1))
        line.add_column(width=1)
        line.add_column(width=1)
        line.add_column(width=ABOUT_WIDTH, no_wrap=True)
        line.add_column(overflow="fold")
        words = Text(finding.what)
        if finding.advice and finding.severity is not Severity.OK:
            words.append(f"\n→ {finding.advice}", style="dim")
        line.add_row("", Text(mark, style=style), Text(finding.about), words)
        out.print(line)


def _sum(counts: Counter[Severity]) -> str:
    parts = [f"{counts[severity]} {severity.value}{'s' * (counts[severity] != 1)}" for severity in reversed(ORDER[1:])]
    return f"{', '.join(parts)}; {counts[Severity.OK]} things are well"
