"""Small facts that must survive a crash, each in a JSON file of its own below ``.state/``."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def save(path: Path, told: Mapping[str, object]) -> None:
    """Write a fact so that after a crash it is there whole, as it was or as it is now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """Read a fact; ``None`` where there is none.

    Raises:
        OSError: it cannot be read, or is not what :func:`save` writes.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise damaged(path) from error
    if not isinstance(told, dict):
        raise damaged(path)
    return told


def damaged(path: Path) -> OSError:
    """The error for a file that holds something else than was written."""
    return OSError(errno.EINVAL, "holds something else than was written; move it away to forget it", str(path))
