"""``celery -A sync up``: everything on one machine, in one foreground process group."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import BinaryIO

import click
from celery.bin.base import CeleryCommand

from sync.beat import check_app
from sync.commands.output import app_of, one_line_errors
from sync.commands.serve import PORT, installed, listen
from sync.storage import embedded

#: What runs, and what it is called when it ends by itself.
ROLES = {"worker": "worker", "beat": "scheduler", "serve": "webhook receiver"}

#: How each of them begins.
CELERY = (sys.executable, "-m", "celery", "-A", "sync")

#: Seconds that a process may take to end its tasks before it is killed.
GRACE_S = 60.0

#: What a shell does that is told the ids of our processes: it waits for the end of its input, which comes with our own
#: end whatever that is, and then has them stop.
KEEPER = ("/bin/sh", "-c", 'while read -r id; do set -- "$@" "$id"; done; kill "$@" 2>/dev/null')


@click.command(cls=CeleryCommand)
@click.option("--loglevel", "-l", default="INFO", show_default=True, help="How much the processes say.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="Of the receiver.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address it listens on.")
@click.pass_context
@one_line_errors
def up(ctx: click.Context, loglevel: str, port: int, host: str) -> None:
    """Run a worker, the scheduler and the webhook receiver here until Ctrl-C.

    They work on the embedded store unless redis_url is set. Without the web extra there is no receiver.

    An embedded store that dies is started again. If one of the others ends by itself, all are stopped and the exit
    code is 1, so that a supervisor starts them anew.
    """
    app = app_of(ctx)
    context = app.context
    _ = app.conf.broker_url, context.channels  # errors in the settings show here, once
    check_app(app)  # and those in the schedule
    lines = process_lines(loglevel)
    if installed():
        listen(host, port).close()  # a port that is taken shows here, before anything runs
        lines["serve"] = [*CELERY, "serve", "--host", host, "--port", str(port)]
    with processes(lines.values()) as children:
        click.echo(f"Running for {', '.join(context.channels)}. Stop with Ctrl-C.")
        stop = _Stop()
        while not stop.asked:
            for role, child in zip(lines, children, strict=True):
                if child.poll() is not None:
                    raise click.ClickException(f"the {ROLES[role]} ended by itself with code {child.returncode}")
            if context.settings.redis_url is None and embedded.revive(context.settings.data_dir):
                click.echo("The embedded store had died and was started again.", err=True)
            time.sleep(0.2)


def process_lines(loglevel: str) -> dict[str, list[str]]:
    """The command lines of a worker and the scheduler."""
    return {
        "worker": [*CELERY, "worker", "-l", loglevel, "--without-gossip", "--without-mingle"],
        "beat": [*CELERY, "beat", "-l", loglevel],
    }


@contextmanager
def processes(
    lines: Iterable[Sequence[str]], output: BinaryIO | None = None
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that live as long as the block, and no longer than this one, and are given time to end their tasks."""
    children: list[subprocess.Popen[bytes]] = []
    keeper = subprocess.Popen(KEEPER, stdin=subprocess.PIPE, bufsize=0, start_new_session=True)  # noqa: S603 - our own
    assert keeper.stdin is not None
    try:
        for line in lines:
            children.append(subprocess.Popen(line, stdout=output, stderr=output))  # noqa: S603 - our own
            keeper.stdin.write(b"%d\n" % children[-1].pid)
        yield children
    finally:
        for child in children:
            child.send_signal(signal.SIGTERM)
        keeper.kill()
        keeper.communicate()
        deadline = time.monotonic() + GRACE_S
        for child in children:
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


class _Stop:
    """Whether somebody asked us to stop, by Ctrl-C or by a supervisor's SIGTERM."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
