"""How commands speak: tables for people, one JSON array for programs, one line for what went wrong."""

from __future__ import annotations

import errno
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click
import redis
from kombu.exceptions import OperationalError
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from channels.errors import ChannelError
from sync.celery import SyncApp
from sync.context import Context
from sync.errors import BrokerError, StoreError
from sync.legible import shown

P = ParamSpec("P")
R = TypeVar("R")

#: A narrower terminal breaks lines by itself: a table made to fit it would leave figures out.
NARROWEST = 80

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
        if sys.stdout is None:
            raise click.ClickException("standard output is closed; what nobody is to see goes to /dev/null")
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a terminal may know fewer signs than SKUs have
        try:
            return command(*args, **kwargs)
        except ChannelError as error:
            raise click.ClickException(shown(str(error))) from error
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise StoreError(f"the store does not answer ({error}); is redis_url right, and is it running?") from error
        except OperationalError as error:
            raise error if isinstance(error, BrokerError) else BrokerError(error) from error
        except redis.ResponseError as error:
            raise StoreError(f"the store refuses a command ({error}); celery -A sync doctor looks at it") from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever reads us has read enough
                raise
            raise click.ClickException(f"{error.filename or 'the output'}: {error.strerror or error}") from error

    return run


class SafeConsole(Console):
    """Prints no sign that came from outside and would act on the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of whatever is printed; the styles are our own."""
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable() or text == "\n":
                yield segment
            else:
                yield Segment("\n".join(map(shown, text.split("\n"))), segment.style)


def console() -> Console:
    """Standard output: colour only on a terminal, and never cut to a width that nobody sees."""
    width = max(shutil.get_terminal_size().columns, NARROWEST) if sys.stdout.isatty() else 200
    return SafeConsole(width=width, highlight=False, soft_wrap=False)


def print_json(rows: Iterable[Any]) -> None:
    """One JSON array, a row a line, as the rows come."""
    is_narrow = (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8")
    first, encode = True, json.JSONEncoder(ensure_ascii=is_narrow).encode
    for row in rows:
        sys.stdout.write(("[" if first else ",") + "\n" + encode(row))
        first = False
    sys.stdout.write("[]\n" if first else "\n]\n")
    sys.stdout.flush()  # a full disk shows here, not when the process has ended


def table(title: str | None, columns: Sequence[str], *, right: Sequence[str] = ()) -> Table:
    """A table with these columns; those in ``right`` hold numbers."""
    made = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return made


def figure(value: object) -> str:
    """A number, or a dash where there is none."""
    return "–" if value is None else str(value)


def unread(channel: str) -> str:
    """That nothing can be said of a channel yet."""
    return f"{channel}: no listing of it is known yet. Run: celery -A sync reconcile --watch"
