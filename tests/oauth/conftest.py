"""A marketplace: two stores, BigCommerce's login server, and our receiver, all over real HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet

from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from channels.bigcommerce.sandbox.login import LoginSandbox
from channels.sandbox import served
from sync.celery import SyncApp
from sync.context import Context
from sync.settings import FILE_VARIABLE, load_settings
from sync.storage import embedded
from sync.web import create_app
from tests.conftest import TimedStore

CLIENT_ID = "the-app"
CLIENT_SECRET = "c0ffee" * 12
REDIRECT = "https://sync.example.com/bigcommerce/auth"

FILE = """
redis_url = "{redis_url}"
authority = "till"

[channels.till]
type = "pos_csv"
path = "pos"

[oauth]
client_id = "{client_id}"
client_secret = "{client_secret}"
redirect_uri = "{redirect}"
encryption_keys = {keys}
stores = {stores}
login_url = "{login_url}"

[oauth.channel]
api_url = "{api_url}"
{more}
"""


@dataclass
class Market:
    """Everything outside, and the receiver's address."""

    folder: Path
    store: TimedStore
    login: LoginSandbox
    stores: Mapping[str, BigCommerceSandbox]
    values: dict[str, Any]
    keys: list[str]
    receiver: str = ""
    #: Starts another receiver, with the settings as they are now.
    restart: Callable[[], None] = lambda: None
    _open: list[Context] = field(default_factory=list)

    def configure(self, **changes: Any) -> None:
        """Write the settings file; keywords change what stands in it."""
        self.values |= changes
        filled = self.values | {"keys": self.keys}
        (self.folder / "sync.toml").write_text(FILE.format(**filled).replace("'", '"'), "utf-8")

    def process(self) -> Context:
        """What another process works with."""
        context = Context(load_settings())
        self._open.append(context)
        return context

    def get(self, path: str, query: str) -> requests.Response:
        """A browser is sent to the app."""
        return requests.get(f"{self.receiver}/bigcommerce/{path}?{query}", timeout=10)

    def install(self, store_hash: str = "abc123", **scope: str) -> requests.Response:
        return self.get("auth", self.login.install(self.at(store_hash), **scope))

    def signed(self, path: str, store_hash: str = "abc123", **changes: Any) -> requests.Response:
        """A callback that is signed by BigCommerce, but for the changes."""
        return self.get(path, self.login.signed(self.at(store_hash), **changes))

    def at(self, store_hash: str) -> Store:
        return self.stores[store_hash].store

    def close(self) -> None:
        for context in self._open:
            for channel in context.channels.values():
                channel.close()


@pytest.fixture
def market(store: TimedStore, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Market]:
    """Two stores in the marketplace; ``abc123`` and ``def456`` may join, and nobody has installed the app."""
    monkeypatch.setattr("sync.telemetry.counters.threading.Timer.start", lambda _: None)
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "sync.toml"))
    (tmp_path / "pos").mkdir()
    sandboxes = {
        name: BigCommerceSandbox(Store(store_hash=name, quota=None)) for name in ("abc123", "def456", "foreign")
    }

    def mall(environ: Any, start_response: Any) -> Any:
        return sandboxes[environ["PATH_INFO"].split("/")[2]].app(environ, start_response)

    login = LoginSandbox(CLIENT_ID, CLIENT_SECRET, REDIRECT)
    with ExitStack() as closing:
        values = {
            "redis_url": embedded.url(data_dir),
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect": REDIRECT,
            "stores": ["abc123", "def456"],
            "login_url": closing.enter_context(login.serve()),
            "api_url": closing.enter_context(served(mall)),
            "more": "",
        }
        market = Market(tmp_path, store, login, sandboxes, values, [Fernet.generate_key().decode()])
        market.configure()

        def restart() -> None:
            celery = SyncApp("tests")
            celery.conf.update(
                broker_url=embedded.broker_url(data_dir),
                broker_transport_options={"global_keyprefix": "is:celery:"},
                task_routes={"sync.pull": "pull", "sync.ensure_webhooks": "maintenance"},
            )
            celery.context = market.process()
            market.receiver = closing.enter_context(served(create_app(celery)))

        market.restart = restart
        restart()
        closing.callback(market.close)
        yield market


def levels(context: Context, channel: str) -> dict[str, int]:
    """What a channel shows, read by a process."""
    return {row.sku: row.units for page in context.channel(channel).read_all() for row in page.levels}


def joined(context: Context) -> list[str]:
    """The stores that a process knows, as channels."""
    return [name for name in context.channels if name != "till"]
