"""Workers, a scheduler and a store that die without warning, and are started again as a supervisor would."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis

from sync.context import Context
from sync.stock.worklist import Worklist
from sync.storage import embedded
from tests.processes.conftest import CELERY, environment
from tests.waiting import wait_until

#: How workers may run. ``processes`` is Celery's other name for prefork: by that name it takes what the settings say.
POOLS = {"threads": ["-P", "threads", "-c", "8"], "prefork": ["-P", "processes", "-c", "2"]}

#: The longest that a death waits for a write to be under way, in seconds.
PATIENCE_S = 2.0


@dataclass(slots=True)
class Process:
    """A process in a group of its own, and the file of its log."""

    role: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def kill(self) -> None:
        """End it and all its children, whatever they are doing."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def children(self) -> list[int]:
        """The processes that it has started."""
        return children(self.popen.pid)


@dataclass
class Fleet:
    """The processes of one merchant's folder.

    Parameters:
        folder: Where the settings file is.
        pool: The arguments that choose the workers' pool.
        rng: Chooses who dies, when and how.
        name: What its workers' names and all its logs begin with.
        port: Where a receiver listens.
    """

    folder: Path
    pool: Sequence[str]
    rng: random.Random
    name: str = ""
    port: int = 0
    processes: list[Process] = field(default_factory=list)
    #: All that ever ran.
    past: list[Process] = field(default_factory=list)
    #: Who died how, in order.
    deaths: list[str] = field(default_factory=list)

    @property
    def data_dir(self) -> Path:
        return self.folder / "var"

    def start(self, role: str) -> Process:
        """Start a worker, a scheduler or a receiver."""
        number = len(self.past) + 1
        node = f"{self.name}w{number}@%h"
        words = {
            "worker": ["worker", "-n", node, "--without-gossip", "--without-mingle", *self.pool, "-l", "INFO"],
            "beat": ["beat", "-l", "INFO"],
            "serve": ["serve", "--host", "127.0.0.1", "--port", str(self.port)],
        }
        log = self.folder / f"{self.name}{role}-{number}.log"
        with log.open("wb") as out:
            popen = subprocess.Popen(
                [*CELERY, *words[role]],
                cwd=self.folder,
                env=environment(),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        process = Process(role, popen, log)
        self.processes.append(process)
        self.past.append(process)
        return process

    @contextmanager
    def running(self, workers: int) -> Iterator[None]:
        """So many workers and the scheduler, until the block ends; then nobody is left."""
        try:
            for _ in range(workers):
                self.start("worker")
            self.start("beat")
            yield
        finally:
            for process in self.past:  # those whose parent was killed live on without it
                process.kill()

    def ended_by_themselves(self) -> list[str]:
        """Who has ended though nobody killed it."""
        return [process.log.name for process in self.processes if not process.alive]

    def one_death(self, context: Context) -> None:
        """Kill somebody, half of the time in the middle of a write, and start another in its place."""
        kinds = ["worker", "worker", "worker", "store", "beat"] + (
            ["child", "parent"] if "processes" in self.pool else []
        )
        kind = self.rng.choice(kinds)
        if self.rng.random() < 0.5:
            with suppress(AssertionError):  # there is not always something to write
                wait_until(lambda: _writing(context), PATIENCE_S, "a write is under way")
        if kind == "store":
            self._kill_store()
            return
        process = self.rng.choice(
            [one for one in self.processes if one.role == ("beat" if kind == "beat" else "worker")]
        )
        if kind == "child":
            children = process.children()
            if children:
                victim = self.rng.choice(children)
                os.kill(victim, signal.SIGKILL)
                self.deaths.append(f"child {victim} of {process.log.name}")
            return
        if kind == "parent":
            process.popen.kill()  # its children are orphans, and end as they find out
            process.popen.wait()
        else:
            process.kill()
        self.deaths.append(f"{kind} of {process.log.name}" if kind == "parent" else process.log.name)
        self.processes.remove(process)
        self.start(process.role)

    def _kill_store(self) -> None:
        pid = embedded._pid(self.data_dir)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            self.deaths.append("store")
            # a worker that starts just now may be the one to bring it back
            wait_until(lambda: not self._store_lives(pid), 10, "the store is dead")
            embedded.start(self.data_dir)

    def _store_lives(self, pid: int) -> bool:
        return embedded._pid(self.data_dir) == pid and embedded._lives(self.data_dir)


def children(parent: int) -> list[int]:
    """The processes that live and whose parent is this one, by their ids."""
    return [pid for pid, ppid in _living() if ppid == parent]


def living(pids: Iterable[int]) -> list[int]:
    """Which of these processes have not ended."""
    return sorted({pid for pid, _ in _living()} & set(pids))


def _living() -> Iterator[tuple[int, int]]:
    """Every process that has not ended, with its parent."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    for pid, ppid, state in map(str.split, table.splitlines()):
        if not state.startswith("Z"):
            yield int(pid), int(ppid)


def _writing(context: Context) -> bool:
    """Whether some listing is claimed right now."""
    worklist = Worklist(context.store)
    try:
        now_ms = context.store.now_ms()
        return any(worklist.waiting(name, now_ms).open for name in context.channels)
    except redis.RedisError:
        return False
