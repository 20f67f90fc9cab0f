"""The whole thing as a user runs it: real processes, real HTTP, a folder with a settings file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from channels.amazon.sandbox import AmazonSandbox
from channels.bigcommerce.sandbox import BigCommerceSandbox, Store
from sync.commands.sandbox import settings_table
from sync.storage import embedded
from tests.waiting import wait_until

#: Whoever tests something else does not want to be asked whether it may be written.
TRUSTING = "[guard]\nauto_approve_first = true\nplan_share = 1\n"

CELERY = [sys.executable, "-m", "celery", "-A", "sync"]


@dataclass(slots=True)
class Shop:
    """A merchant's folder, with a sandbox store and a mock Amazon behind its settings."""

    folder: Path
    store: BigCommerceSandbox
    amazon: AmazonSandbox
    settings: str

    def configure(self, text: str) -> None:
        """Write the settings file."""
        (self.folder / "sync.toml").write_text(text, "utf-8")

    @property
    def brisk(self) -> str:
        """The settings, but with claims that outlive a worker by 8 seconds instead of 60: too short for feeds."""
        text = self.settings.replace("settle_s", "read_timeout_s = 4\nsettle_s")
        return "write_lease_s = 8\n" + text.replace("visible_within_s", "feed_from = 0\nvisible_within_s")

    def run(self, *words: str, timeout_s: float = 60, env: dict[str, str] | None = None) -> Ran:
        """Run one command to its end."""
        done = subprocess.run(
            [*CELERY, *words],
            cwd=self.folder,
            env=environment() | (env or {}),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def worker(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker in its own process while the block runs, ready; its log is ``worker.log`` in the folder."""
        before = self.ready("worker")
        with self.process("worker", "worker", "-l", "INFO", "--without-gossip", "--without-mingle", *words) as process:
            wait_until(lambda: self.ready("worker") > before or process.poll() is not None, 60, "the worker is ready")
            yield process

    def ready(self, name: str) -> int:
        """How many workers have said in this log that they are ready. Commands wait for one, but not for ever."""
        log = self.folder / f"{name}.log"
        return log.read_bytes().count(b" ready.") if log.exists() else 0

    @contextmanager
    def process(self, name: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command in its own process while the block runs; its log is ``<name>.log`` in the folder."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [*CELERY, *words], cwd=self.folder, env=environment(), stdout=log, stderr=log, start_new_session=True
            )
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    raise

    def stock(self) -> dict[str, Any]:
        """The rows of ``stock --json``, by SKU."""
        ran = self.run("stock", "--json")
        assert ran.code == 0, ran.err
        return {row["sku"]: row for row in json.loads(ran.out)}


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


def environment() -> dict[str, str]:
    """This process's environment, without settings of its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SYNC_")}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose store and Amazon sell nothing yet."""
    store, amazon = BigCommerceSandbox(Store(quota=None)), AmazonSandbox(rate_scale=None)
    with store.serve() as store_url, amazon.serve() as amazon_url:
        tables = [
            TRUSTING,
            settings_table("store", store.settings(store_url)) + "settle_s = 0.2\n",
            settings_table("amazon", amazon.settings(amazon_url)) + "settle_s = 0.2\nvisible_within_s = 3\n",
        ]
        shop = Shop(tmp_path, store, amazon, "\n".join(tables))
        shop.configure(shop.settings)
        try:
            yield shop
        finally:
            embedded.stop(tmp_path / "var")
