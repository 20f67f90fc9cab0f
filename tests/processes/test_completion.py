"""A shell completes commands, channels and SKUs, and pressing a key starts nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes.conftest import Shop, environment


def completed(shop: Shop, line: str) -> list[str]:
    """What bash would offer for the last word of a line."""
    words = line.split(" ")
    env = {"_CELERY_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    command = [str(Path(sys.executable).with_name("celery"))]
    ran = subprocess.run(command, cwd=shop.folder, env=environment() | env, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return [row.partition(",")[2] for row in ran.stdout.splitlines() if row]


def test_commands_channels_and_skus_are_completed(shop: Shop) -> None:
    shop.store.store.add("MUG-RED", 1)
    shop.store.store.add("MUG-BLUE", 2)
    shop.store.store.add("CUP", 3)
    assert completed(shop, "celery -A sync doc") == ["doctor"]
    assert completed(shop, "celery -A sync doctor --channel s") == ["store"]
    assert completed(shop, "celery -A sync pause ") == ["store", "amazon"]
    with shop.worker():
        assert shop.run("reconcile", "--channel", "store", "--watch").code == 0
    assert completed(shop, "celery -A sync history mug") == ["MUG-BLUE", "MUG-RED"]
    assert completed(shop, "celery -A sync stock CUP MUG-R") == ["MUG-RED"]
    assert completed(shop, "celery -A sync stock *") == []


@pytest.mark.parametrize("line", ["celery -A sync stock A", "celery -A sync pause s"])
def test_completing_starts_no_store(shop: Shop, line: str) -> None:
    completed(shop, line)
    assert not (shop.folder / "var").exists()


def test_wrong_settings_offer_nothing_and_say_nothing(shop: Shop) -> None:
    shop.configure("[channels.store]\ntype = 'nothing'\n")
    assert completed(shop, "celery -A sync pause s") == []
