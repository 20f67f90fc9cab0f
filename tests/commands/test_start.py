"""What every command and every process waits for before it begins."""

from __future__ import annotations

import subprocess
import sys

LOADED = "import sys; import celery.bin.celery; print(*sys.modules)"


def test_all_commands_are_loaded_and_no_web_framework_with_them() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"sync.commands.stock", "sync.commands.demo", "sync.commands.sandbox"} <= loaded
    assert not loaded & {"flask", "werkzeug", "jinja2"}
