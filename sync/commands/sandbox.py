"""``celery -A sync sandbox``: a BigCommerce store and a mock Amazon to play with, over real HTTP."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping

import click
from celery.bin.base import CeleryCommand

from sync.commands.output import one_line_errors
from sync.commands.serve import listen, need_web

#: Whoever tries things out need not approve the first writes to a sandbox.
TRUST = "[guard]\nauto_approve_first = true\n"


@click.command(cls=CeleryCommand)
@click.option("--store-port", default=8081, show_default=True, help="Port of the BigCommerce store.")
@click.option("--amazon-port", default=8082, show_default=True, help="Port of the mock Amazon.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address they listen on.")
@click.option("--listings", default=20, show_default=True, help="How many SKUs both sell at the beginning.")
@one_line_errors
def sandbox(store_port: int, amazon_port: int, host: str, listings: int) -> None:
    """Run a sandbox store and a mock Amazon here until Ctrl-C, for those who have no trial store.

    Prints the settings that point at them. Each has a control surface under /_sandbox/ to seed, sell, restock,
    inspect and make trouble; what they hold is in memory and gone when they stop.
    """
    need_web()
    # here, for Celery loads all commands to run any, and the sandboxes' web framework takes a fifth of a second
    from channels.amazon.sandbox import AmazonSandbox
    from channels.bigcommerce.sandbox import BigCommerceSandbox

    for port in (store_port, amazon_port):
        listen(host, port).close()  # a port that is taken shows here, in one line
    store, amazon = BigCommerceSandbox(), AmazonSandbox(visible_after_s=1.0)
    for number in range(1, listings + 1):
        store.store.add(f"SKU-{number:03}", number)
        amazon.account.put(f"SKU-{number:03}", number)
    try:
        with store.serve(store_port, host) as store_url, amazon.serve(amazon_port, host) as amazon_url:
            click.echo("# Put this into sync.toml:")
            click.echo(TRUST)
            click.echo(settings_table("store", store.settings(store_url)))
            click.echo(settings_table("amazon", amazon.settings(amazon_url)) + "settle_s = 2.0\n")
            click.echo("# Sell something, and see where it went:")
            for url in (store_url, amazon_url):
                click.echo(f"""#   curl -s {url}/_sandbox/sell --json '{{"sku": "SKU-007", "units": 2}}'""")
                click.echo(f"#   curl -s {url}/_sandbox/inspect")
            stop = threading.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: stop.set())
            stop.wait()
    except OSError as error:
        raise click.ClickException(f"the sandbox cannot listen: {error.strerror or error}") from error


def settings_table(name: str, values: Mapping[str, str]) -> str:
    """A channel's table as it stands in a settings file."""
    lines = [f"[channels.{name}]", *(f'{key} = "{value}"' for key, value in values.items())]
    return "\n".join(lines) + "\n"
