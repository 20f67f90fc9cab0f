"""``celery -A sync serve``: the webhook receiver, with health and metrics, under gunicorn."""

from __future__ import annotations

import errno
import os
import socket
import sys
from importlib.util import find_spec

import click
from celery.bin.base import CeleryCommand

from sync.commands.output import app_of, one_line_errors

#: Where the receiver listens when nobody says otherwise.
PORT = 8080

#: Connections that may wait to be taken.
BACKLOG = 2048


@click.command(cls=CeleryCommand)
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="0: any free one.")
@click.option("--host", default="0.0.0.0", show_default=True, help="The address to listen on.")  # noqa: S104 - its job
@click.option("--workers", type=click.IntRange(1), help="How many processes; by default one for each core, 2 to 4.")
@click.pass_context
@one_line_errors
def serve(ctx: click.Context, port: int, host: str, workers: int | None) -> None:
    """Receive webhooks at /webhooks/CHANNEL, and answer /healthz, /readyz and /metrics.

    Put a proxy that speaks TLS in front, and its public address into webhook_url of the channel's settings.
    """
    need_web()
    app = app_of(ctx)
    _ = app.conf.broker_url, app.context.channels  # errors in the settings show here, once, in one line
    listener = listen(host, port)
    click.echo(f"Receiving on http://{host}:{listener.getsockname()[1]}", err=True)
    listener.set_inheritable(True)
    # Gunicorn takes this process's place: no connection made above is shared with the processes that it forks.
    os.execv(  # noqa: S606 - our own interpreter
        sys.executable,
        [
            *(sys.executable, "-m", "gunicorn", "--config", "python:sync.web.server"),
            *("--bind", f"fd://{listener.fileno()}"),
            *(("--workers", str(workers)) if workers else ()),
            "sync.web:app",
        ],
    )


def need_web() -> None:
    """Raises :class:`click.ClickException` unless the extra is installed that this needs."""
    if not installed():
        raise click.ClickException("no web server is installed: pip install 'inventory-sync[web]'")


def installed() -> bool:
    """Whether the extra is installed that this needs."""
    return all(find_spec(name) for name in ("flask", "gunicorn"))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        click.ClickException: the address is taken, or none of this machine's.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        advice = ". Is it running already? Else choose another --port" if error.errno == errno.EADDRINUSE else ""
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror or error}{advice}") from error
    return listener
