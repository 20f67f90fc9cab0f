"""Schedulers as real processes: two of them at once, one that dies, and one that may not start."""

from __future__ import annotations

import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.processes.conftest import Shop
from tests.waiting import wait_until

SCHEDULE = """
[often]
task = "sync.sweep"
every = "1s"

[seldom]
task = "sync.hints"
every = "3s"
"""

#: How many ticks are seen before one of the schedulers is killed, and afterwards.
TICKS = 12


def ticks(log: Path, what: str) -> Counter[str]:
    """The ticks of which a log says this, and how often it does."""
    return Counter(re.findall(rf"tick (\d+ \w+): {what}", log.read_text("utf-8")))


@pytest.mark.timeout(180)
def test_with_two_schedulers_each_tick_counts_once_and_one_goes_on_without_the_other(shop: Shop) -> None:
    (shop.folder / "beat").write_text(SCHEDULE, "utf-8")
    shop.configure('schedule = "beat"\n' + shop.settings)
    worker, first, second = (shop.folder / f"{name}.log" for name in ("worker", "first", "second"))
    with shop.worker("-l", "DEBUG"), shop.process("second", "beat", "-l", "DEBUG"):
        with shop.process("first", "beat", "-l", "DEBUG") as dying:
            wait_until(lambda: len(ticks(worker, "another scheduler")) >= TICKS, 60, "both have sent the same ticks")
            dying.send_signal(signal.SIGKILL)
            dying.wait()
        before = len(ticks(worker, "taken"))
        wait_until(lambda: len(ticks(worker, "taken")) >= before + TICKS, 60, "the other one goes on")
    taken, sent = ticks(worker, "taken"), ticks(first, "sent") + ticks(second, "sent")
    assert set(taken.values()) == {1}, "no tick counts twice"
    assert {name.split()[1] for name in taken} == {"often", "seldom"}
    assert max(sent.values()) == 2, "no scheduler sends a tick twice"
    # the last ones may still have been on their way when the worker was stopped
    assert set(sorted(sent)[:-4]) <= set(taken), "every tick that was sent counts"


def test_a_scheduler_whose_schedule_cannot_run_says_so_in_one_line(shop: Shop) -> None:
    (shop.folder / "beat").write_text('[nightly]\ntask = "sync.pull"\ncron = "0 4 * * *"\n', "utf-8")
    shop.configure('schedule = "beat"\n' + shop.settings)
    for words in (("beat",), ("up", "--port", "0")):
        ran = shop.run(*words)
        assert ran.code == 1
        assert ran.err.splitlines()[-1] == f"Error: {shop.folder}/beat: nightly.arguments: sync.pull needs channel"
        assert "Traceback" not in ran.err
