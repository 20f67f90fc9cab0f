"""Bringing files from elsewhere into a till's folder, where everything else goes on as if the till had exported them.

A file is fetched under a hidden name and then renamed, with the remote one's modification time. What was fetched is
remembered by its name and stamp. Only once it has left the folder, applied or set aside, may the remote file be
moved away; nothing remote is ever deleted. Dying anywhere means at worst that a file is fetched again, and the
folder knows contents that it has seen.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from channels.contract import Problem
from channels.pos_csv.client import Folder
from channels.pos_csv.state import damaged, load, save

logger = logging.getLogger(__name__)

#: How files begin that are being fetched; hidden, so that the folder leaves them alone.
_DRAFT = ".fetching-"


class Remote(NamedTuple):
    """A file elsewhere."""

    name: str
    #: Whatever changes with the content: size and modification time, or a hash.
    stamp: str
    size: int
    #: When it was last written, in unix seconds.
    mtime: float


class Changed(Exception):
    """A remote file is no longer the one that was listed."""


class Place(Protocol):
    """Where files come from, connected. All methods raise :class:`channels.errors.ChannelError` where they fail."""

    #: Whether a file appears there only once it is whole.
    whole: bool

    def files(self) -> list[Remote]:
        """What lies there."""

    def fetch(self, remote: Remote, out: BinaryIO) -> None:
        """Copy a file. Raises :class:`Changed` where it is another by now."""

    def retire(self, remote: Remote) -> bool:
        """Move a file out of the way that was read; false where that cannot be, and it must be remembered."""


class Source(Protocol):
    """A place that one can connect to."""

    def open(self) -> AbstractContextManager[Place]:
        """Connect."""


class _Memory:
    """What was fetched and is still there, by name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = load(path) or {}
        if not all(isinstance(fact, dict) and isinstance(fact.get("stamp"), str) for fact in self._told.values()):
            raise damaged(path)

    def fetched(self, remote: Remote) -> bool:
        fact = self._told.get(remote.name)
        return fact is not None and fact["stamp"] == remote.stamp

    def stays(self, remote: Remote) -> bool:
        return bool(self._told[remote.name].get("stays"))

    def add(self, remote: Remote, *, stays: bool = False) -> None:
        self._told[remote.name] = {"stamp": remote.stamp, "stays": stays}

    def keep(self, names: set[str]) -> None:
        self._told = {name: fact for name, fact in self._told.items() if name in names}

    def save(self) -> None:
        if self._told != (load(self._path) or {}):
            save(self._path, self._told)


def bring(place: Place, folder: Folder, pause: Callable[[float], None]) -> list[Problem]:
    """Fetch what is new. To be called by whoever holds the folder's lock.

    Returns:
        Files that people should know about.

    Raises:
        channels.errors.ChannelError: the place failed; what was fetched so far is kept.
        OSError: the local disk failed.
    """
    memory = _Memory(folder.state / "fetched.json")
    for draft in folder.path.glob(f"{_DRAFT}*"):
        draft.unlink(missing_ok=True)
    listed = {remote.name: remote for remote in place.files() if folder.takes(remote.name)}
    memory.keep(set(listed))
    try:
        for remote in list(listed.values()):
            if memory.fetched(remote) and not memory.stays(remote) and not folder.holds(remote.name):
                if place.retire(remote):
                    del listed[remote.name]
                else:
                    memory.add(remote, stays=True)
        memory.keep(set(listed))
        new = [remote for remote in listed.values() if not memory.fetched(remote)]
        return _fetch_all(place, folder, memory, _at_rest(place, new, folder.settings.quiet_s, pause))
    finally:
        memory.save()


def _at_rest(place: Place, new: list[Remote], quiet_s: float, pause: Callable[[float], None]) -> list[Remote]:
    """Those files that nobody is writing, as far as two looks can tell."""
    if not new or place.whole or quiet_s == 0:
        return new
    pause(quiet_s)
    after = set(place.files())
    return [remote for remote in new if remote in after]


def _fetch_all(place: Place, folder: Folder, memory: _Memory, remotes: list[Remote]) -> list[Problem]:
    problems = []
    for remote in sorted(remotes, key=lambda remote: (remote.mtime, remote.name)):
        if remote.size > folder.settings.max_bytes:
            words = f"the file is larger than {folder.settings.max_bytes} bytes and was not fetched"
            problems.append(Problem(remote.name, f"{words}; raise max_bytes if that is right"))
        elif not folder.holds(remote.name):  # one of the same name has yet to be read
            try:
                _fetch(place, folder.path, remote)
            except Changed:
                logger.info(
                    "a remote file changed while it was fetched; it is left for later", extra={"file": remote.name}
                )
            else:
                memory.add(remote)
    return problems


def _fetch(place: Place, path: Path, remote: Remote) -> None:
    draft = path / f"{_DRAFT}{secrets.token_hex(4)}.tmp"
    try:
        with draft.open("xb") as out:
            place.fetch(remote, out)
            out.flush()
            os.fsync(out.fileno())
        if draft.stat().st_size != remote.size:
            raise Changed(remote.name)
        os.utime(draft, (remote.mtime, remote.mtime))
        draft.rename(path / remote.name)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path)


def _sync(folder: Path) -> None:
    """Make renames in a folder last, where the system can: what is remembered as fetched must be there."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
