"""``celery -A sync inspect-csv FILE``: what would be read of a till's file, and what would be refused and why."""

from __future__ import annotations

from pathlib import Path

import click
from celery.bin.base import CeleryCommand
from rich.text import Text

from channels.pos_csv import Inspection, PosCsvSettings, inspect
from channels.pos_csv.profiles import PROFILES
from sync.commands import completion
from sync.commands.output import console, context_of, json_option, one_line_errors, print_json, table

#: The most refused rows that are shown to people; programs get them all.
SHOWN = 20


@click.command(name="inspect-csv", cls=CeleryCommand)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--channel", shell_complete=completion.channels, help="Read it as this channel's settings say.")
@click.option("--profile", type=click.Choice(sorted(PROFILES)), help="Read it by this ready profile.")
@json_option
@click.pass_context
@one_line_errors
def inspect_csv(ctx: click.Context, file: Path, channel: str | None, profile: str | None, as_json: bool) -> None:
    """Show what would be read of a till's file, what would be refused and why, and which profiles fit it.

    Changes nothing. Without --channel and --profile it is read by the profile that fits best. The exit code is 1
    when the file would be refused as a whole.
    """
    if channel and profile:
        raise click.UsageError("name either --channel or --profile")
    found = _inspect(ctx, file, channel, profile)
    if as_json:
        print_json([found.as_json()])
    else:
        _print(found)
    if found.refused:
        ctx.exit(1)


def _inspect(ctx: click.Context, file: Path, channel: str | None, profile: str | None) -> Inspection:
    if channel:
        settings = context_of(ctx).channel(channel).settings
        if not isinstance(settings, PosCsvSettings):
            raise click.ClickException(f"{channel} is no till: its type is {settings.type}")
        return inspect(file, settings)
    found = inspect(file, PosCsvSettings(type="pos_csv", path=file.parent, profile=profile or "plain"))
    if not profile and found.profiles and "plain" not in found.profiles[:1]:
        return inspect(file, PosCsvSettings(type="pos_csv", path=file.parent, profile=found.profiles[0]))
    return found


def _print(found: Inspection) -> None:
    out = console()
    if found.refused:
        out.print(Text(f"{found.file} would be set aside: {found.refused}", style="red"))
    else:
        is_journal = found.kind == "journal"
        what = "lines to be counted" if is_journal else "levels"
        out.print(Text(f"{found.file}: {found.levels} {what} in {found.rows} rows", style="bold"))
        if not is_journal:
            stated = "as the file states" if found.time_is_stated else "its modification time; the file does not say"
            out.print(Text(f"counted {found.counted_at:%Y-%m-%d %H:%M:%S %Z} ({stated})"))
        delimiter = {"\t": "tab"}.get(found.delimiter, found.delimiter)
        out.print(Text(f"{found.encoding}{f', separated by {delimiter}' if delimiter else ''}"))
        adds = "stock" if is_journal else "units"
        taste = table(None, ["SKU", adds], right=[adds])
        for sku, units in found.taste:
            taste.add_row(Text(sku), f"{units:+d}" if is_journal else str(units))
        out.print(taste)
        if found.levels > len(found.taste):
            out.print(Text(f"and {found.levels - len(found.taste)} more"))
    for report in found.reports[:SHOWN]:
        out.print(Text(f"line {report.line}: {report.reason}"))
    if len(found.reports) > SHOWN:
        out.print(Text(f"and {len(found.reports) - SHOWN} more rows like these"))
    for encoding, line in found.readings.items():
        out.print(Text(f'as {encoding}: {line}    (encoding = "{encoding}")'))
    if found.profiles:
        out.print(Text(f"Ready profiles that read it, the best first: {', '.join(found.profiles)}"))
