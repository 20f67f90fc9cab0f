"""What only the system knows: is anyone else at work in this folder, and is this file still being written."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # pragma: no cover - not a POSIX system; claims and leases still hold
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Hold a folder's lock while the block runs; gives false where another thread, process or machine holds it.

    The system lets go of it when the process dies, however it dies, so nothing has to time out. Where the file
    system has no locks, everyone gets it, and the rename that claims a file is what keeps two workers apart.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    if fcntl is None:  # pragma: no cover
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def being_written(path: Path) -> bool | None:
    """Whether some process has a file open for writing; ``None`` where the system cannot tell.

    Linux refuses a read lease on such a file (fcntl(2), F_SETLEASE). The lease is given back at once. Should a
    writer come in just between, the system makes it wait and sends a signal, which is set to one that is ignored.
    """
    if fcntl is None or not hasattr(fcntl, "F_SETLEASE"):  # pragma: no cover - not Linux
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    else:
        return False
    finally:
        os.close(descriptor)
