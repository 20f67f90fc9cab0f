"""Webhooks with real processes: the receiver under gunicorn, a worker, and a store that delivers."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from channels.bigcommerce.sandbox.webhooks import signature
from tests.ports import free_port
from tests.processes.conftest import CELERY, Shop, environment
from tests.waiting import wait_until


@contextmanager
def running(shop: Shop, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A command in its own process, and the address that it says it receives on."""
    log = shop.folder / f"{words[0]}.log"
    with log.open("wb") as out:
        process = subprocess.Popen([*CELERY, *words], cwd=shop.folder, env=environment(), stdout=out, stderr=out)

    def address() -> str:
        found = re.search(r"http://[^:]+:(\d+)", log.read_text())
        return f"http://127.0.0.1:{found[1]}" if found else ""

    try:
        wait_until(lambda: bool(address()) and ready(address()), 90, f"{words[0]} is ready")
        wait_until(lambda: words[0] != "up" or shop.ready("up"), 60, "its worker is ready")
        yield process, address()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(40)


def ready(address: str) -> bool:
    try:
        return requests.get(f"{address}/readyz", timeout=5).ok
    except requests.RequestException:
        return False


def test_a_sale_reaches_the_other_channel_by_a_webhook(shop: Shop) -> None:
    port = free_port()
    for number in range(4):
        shop.store.store.add(f"SKU-{number}", 10)
        shop.amazon.account.put(f"SKU-{number}", 10)
    shop.configure(
        shop.settings.replace("[channels.amazon]", f'webhook_url = "http://127.0.0.1:{port}"\n[channels.amazon]')
    )
    with running(shop, "up", "--port", str(port)) as (process, _):
        wait_until(lambda: len(shop.store.store.hooks) > 5, 20, "the hooks are registered")
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
        shop.store.store.sell("SKU-1", 3)
        wait_until(lambda: shop.amazon.account.shown("SKU-1") == 7, 10, "Amazon shows the sale")
        process.send_signal(signal.SIGTERM)
        assert process.wait(40) == 0
    assert [row["units"] for row in json.loads(shop.run("history", "SKU-1", "--json").out)] == [10, -3]


def test_an_event_of_another_bus_is_taken_by_the_task(shop: Shop) -> None:
    product = shop.store.store.add("MUG", 10)
    shop.amazon.account.put("MUG", 10)
    with shop.worker():
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
        shop.store.store.sell("MUG", 4)
        event = {
            "scope": "store/product/inventory/order/updated",
            "producer": f"stores/{shop.store.store.store_hash}",
            "data": {"type": "product", "id": product.id, "inventory": {"product_id": product.id}},
            "hash": "1f2e",
            "created_at": 1_790_000_000,
        }
        kwargs = json.dumps({"channel": "store", "event": event})
        assert shop.run("call", "sync.webhook", "--kwargs", kwargs).code == 0
        wait_until(lambda: shop.amazon.account.shown("MUG") == 6, 10, "Amazon shows the sale")


def test_the_receiver_counts_as_one_over_its_processes_and_stops_when_asked(shop: Shop) -> None:
    body = b'{"scope": "store/cart/created", "producer": "stores/sandbox", "hash": "x", "created_at": 1}'
    with running(shop, "serve", "--port", "0", "--workers", "2") as (process, address):

        def send() -> None:
            headers = signature(shop.store.store.client_secret, "msg_1", int(shop.store.store.clock()), body)
            assert requests.post(f"{address}/webhooks/store", data=body, headers=headers, timeout=10).status_code == 200
            assert requests.post(f"{address}/webhooks/store", data=body, timeout=10).status_code == 401

        senders = [threading.Thread(target=send) for _ in range(20)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        wait_until(lambda: counted(address) == (20, 20), 10, "all are counted")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    log = (shop.folder / "serve.log").read_text()
    assert shop.store.store.client_secret not in log
    assert "cart" not in log


def counted(address: str) -> tuple[int, int]:
    """Requests taken and refused, as any of the processes tells."""
    numbers = {"taken": 0, "refused": 0}
    for line in requests.get(f"{address}/metrics", timeout=10).text.splitlines():
        if line.startswith("inventory_sync_webhooks_total{"):
            is_taken = 'result="kept"' in line or 'result="repeated"' in line
            numbers["taken" if is_taken else "refused"] += int(line.rsplit(" ", 1)[1])
    return numbers["taken"], numbers["refused"]


def test_a_port_that_is_taken_is_told_in_one_line(shop: Shop) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for command in ("serve", "up"):
            ran = shop.run(command, "--host", "0.0.0.0", "--port", port)
            assert ran.code == 1
            assert ran.err.startswith(f"Error: cannot listen on 0.0.0.0:{port}: Address already in use. ")
            assert "--port" in ran.err


def test_under_any_gunicorn_wrong_settings_are_one_line(shop: Shop) -> None:
    shop.configure('[channels.store]\ntype = "bigcomerce"\n')
    command = [sys.executable, "-m", "gunicorn", "--workers", "1", "--bind", "127.0.0.1:0", "sync.web:app"]
    ran = subprocess.run(
        command, cwd=shop.folder, env=environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert ran.returncode != 0
    assert "there is no channel type 'bigcomerce'; did you mean 'bigcommerce'?" in ran.stderr
    assert "Traceback" not in ran.stderr
