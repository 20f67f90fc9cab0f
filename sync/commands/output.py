"""How commands speak: tables for people, one JSON array for programs, one line for what went wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click
import redis
from rich.console import Console
from rich.table import Table

from channels.errors import ChannelError
from sync.celery import SyncApp
from sync.context import Context
from sync.errors import StoreError

P = ParamSpec("P")
R = TypeVar("R")

#: ``--json``, as every command that lists has it.
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON array and nothing else.")


def app_of(ctx: click.Context) -> SyncApp:
    """The Celery app that was named by ``-A``.

    Raises:
        click.UsageError: it is not this project's.
    """
    app = ctx.obj.app
    if not isinstance(app, SyncApp):
        raise click.UsageError("this command belongs to inventory-sync: celery -A sync ...")
    return app


def context_of(ctx: click.Context) -> Context:
    """What the command works with."""
    return app_of(ctx).context


def one_line_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Trouble outside ends a command in one line that says what to do, and exit code 1."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ChannelError as error:
            raise click.ClickException(str(error)) from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise StoreError(f"the store does not answer ({error}); is redis_url right, and is it running?") from error

    return run


def console() -> Console:
    """Standard output: colour only on a terminal, and never cut to a width that nobody sees."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, soft_wrap=False)


def print_json(rows: Iterable[Any]) -> None:
    """One JSON array, a row a line, as the rows come."""
    first = True
    for row in rows:
        sys.stdout.write(("[" if first else ",") + "\n" + json.dumps(row, ensure_ascii=False))
        first = False
    sys.stdout.write("[]\n" if first else "\n]\n")


def table(title: str | None, columns: Sequence[str], *, right: Sequence[str] = ()) -> Table:
    """A table with these columns; those in ``right`` hold numbers."""
    made = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return made


def figure(value: object) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else str(value)
