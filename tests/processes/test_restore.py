"""A backup is restored an hour of trade later: by the runbook's own commands everything is exact again."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes.conftest import Shop, environment
from tests.processes.trade import SCHEDULE, Trade
from tests.waiting import wait_until

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"


@pytest.mark.timeout(300)
def test_after_a_restore_of_an_old_backup_on_hand_and_channels_are_exact_again(shop: Shop) -> None:
    trade = Trade.begin(shop)
    (shop.folder / "schedule").write_text(SCHEDULE)
    shop.configure('schedule = "schedule"\n' + shop.brisk)
    with at_work(shop):
        assert shop.run("reconcile", "--watch", "--timeout", "50").code == 0
        sell(trade, 20)
        wait_until(trade.is_accounted_for, 60, "all is accounted for")
        follow(shop, "backup of the embedded store")
        sell(trade, 40)  # seen, and written to the other channel: the backup knows of none of it
        wait_until(trade.is_accounted_for, 60, "all is accounted for")
        sell(trade, 20)  # some of these are seen, some are not
    follow(shop, "restore of the embedded store")
    sell(trade, 20)  # and customers do not wait
    with at_work(shop):
        sell(trade, 20)
        wait_until(trade.is_accounted_for, 150, "all is accounted for after the restore")
        assert shop.run("reconcile", "--watch", "--timeout", "50").code == 0
        assert trade.is_accounted_for()


@contextmanager
def at_work(shop: Shop) -> Iterator[None]:
    with shop.worker(), shop.process("beat", "beat"):
        yield


def sell(trade: Trade, sales: int) -> None:
    for _ in range(sales):
        trade.sell()


def follow(shop: Shop, name: str) -> None:
    """Run the commands that stand in the runbook under this name, to the letter."""
    found = re.search(rf"<!-- {name} -->\n+```\n(.*?)```", RUNBOOK.read_text("utf-8"), re.DOTALL)
    assert found, f"the runbook has no commands named {name!r}"
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    subprocess.run(["sh", "-ec", found[1]], cwd=shop.folder, env=environment() | {"PATH": path}, check=True, timeout=60)
