"""A store installs the app of a running installation, is kept in step, and leaves: real processes throughout."""

from __future__ import annotations

import json
from pathlib import Path

import requests
from cryptography.fernet import Fernet

from channels.bigcommerce.sandbox import BigCommerceSandbox
from channels.bigcommerce.sandbox.login import LoginSandbox
from tests.processes.conftest import Shop
from tests.processes.test_webhooks import running
from tests.waiting import wait_until

SECRET = "c0ffee" * 12
REDIRECT = "https://sync.example.com/bigcommerce/auth"


def configure(shop: Shop, store: BigCommerceSandbox, api_url: str, login_url: str) -> None:
    key = Fernet.generate_key().decode()
    shop.configure(
        f"""
        authority = "amazon"
        [guard]
        auto_approve_first = true
        {shop.settings[shop.settings.index("[channels.amazon]") :]}
        [oauth]
        client_id = "the-app"
        client_secret = "{SECRET}"
        redirect_uri = "{REDIRECT}"
        encryption_keys = ["{key}"]
        stores = ["{store.store.store_hash}"]
        login_url = "{login_url}"
        [oauth.channel]
        api_url = "{api_url}"
        settle_s = 0.2
        """
    )


def test_a_store_joins_running_processes_and_leaves_them(shop: Shop, tmp_path: Path) -> None:
    sandbox = shop.store
    api_url = shop.settings.split('api_url = "')[1].split('"')[0]
    sandbox.store.add("MUG", 9)
    shop.amazon.account.put("MUG", 4)
    login = LoginSandbox("the-app", SECRET, REDIRECT)
    with login.serve() as login_url:
        configure(shop, sandbox, api_url, login_url)
        with shop.worker("-B", "-s", str(tmp_path / "beat")), running(shop, "serve", "--port", "0") as (_, address):
            shop.run("reconcile", "--channel", "amazon", "--watch")
            answer = requests.get(f"{address}/bigcommerce/auth?{login.install(sandbox.store)}", timeout=20)
            assert answer.status_code == 200, answer.text
            wait_until(lambda: sandbox.store.level("MUG") == 4, 60, "the store shows what there is")
            (row,) = json.loads(shop.run("stores", "--json").out)
            assert (row["store"], row["channel"], row["state"]) == ("sandbox", "store-sandbox", "joined")

            requests.get(f"{address}/bigcommerce/uninstall?{login.uninstall(sandbox.store)}", timeout=20)
            calls = len(sandbox.requests)
            assert shop.run("reconcile", "--watch").code == 0
            assert list(shop.stock()["MUG"]["channels"]) == ["amazon"]
            assert len(sandbox.requests) == calls
            log = (shop.folder / "worker.log").read_text() + (shop.folder / "serve.log").read_text()
    assert SECRET not in log
    assert "code=" not in log
    assert "signed_payload_jwt" not in log
