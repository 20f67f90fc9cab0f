"""Simulated time, and workers that take turns in it: the same seed gives the same interleaving.

Everything that happens has a time on one queue. A worker is a real call of the code under test on a thread of its
own; wherever it could be interrupted it pauses for some simulated milliseconds, and whatever is due in between
happens before it goes on. Only the thread that holds the baton runs, so there is no race but the simulated ones.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


class Crash(BaseException):
    """A worker dies here. Nothing in the code under test may catch it, as nothing catches SIGKILL."""


@dataclass(eq=False)
class Worker:
    """One call of the code under test.

    ``crash_at`` counts boundaries: at that one it dies. ``stalls`` is how likely it is held up at any of them,
    ``stands_until_ms`` until when it is after its first write. ``revisions`` holds, by channel and folded SKU, at which
    revision it last claimed a listing.
    """

    name: str
    body: Callable[[], None]
    rng: random.Random
    crash_at: int = 0
    stalls: float = 0.0
    stands_until_ms: int = 0
    steps: int = 0
    dead: bool = False
    revisions: dict[tuple[str, str], int] = field(default_factory=dict)
    gate: threading.Lock = field(default_factory=threading.Lock)
    thread: _Thread | None = None

    def __post_init__(self) -> None:
        self.gate.acquire()


class _Thread(threading.Thread):
    """A thread that carries one worker after the other."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.wake = threading.Lock()
        self.wake.acquire()
        self.job: Callable[[], None] | None = None

    def run(self) -> None:
        while True:
            self.wake.acquire()
            assert self.job is not None
            self.job()


_idle: list[_Thread] = []
_engines: list[Engine] = []


def current_worker() -> Worker | None:
    """The worker that is at work in the newest run."""
    return _engines[-1].current if _engines else None


class Engine:
    """The queue, the clock and the baton of one run.

    Parameters:
        start_ms: What the clock shows first.
        say: Takes a line of the trace, with who says it.
    """

    def __init__(self, start_ms: int, say: Callable[[str, str], None] | None = None) -> None:
        self.now = start_ms
        self.start_ms = start_ms
        self.say = say
        self.current: Worker | None = None
        self.live: list[Worker] = []
        self.crashes = 0
        self.error: BaseException | None = None
        #: The same as of a worker, of claims that are made while none lives.
        self.revisions: dict[tuple[str, str], int] = {}
        self._queue: list[tuple[int, int, Callable[[], None] | Worker]] = []
        self._sequence = 0
        self._main = threading.Lock()
        self._main.acquire()
        self._aborting = False
        _engines[:] = [self]

    def tell(self, who: str, what: str) -> None:
        """Add a line to the trace, if there is one."""
        if self.say:
            self.say(who, what)

    def at(self, time_ms: int, item: Callable[[], None] | Worker) -> None:
        """Have something happen, or a worker start, at a time."""
        self._sequence += 1
        heapq.heappush(self._queue, (time_ms, self._sequence, item))

    def pause(self, ms: int) -> None:
        """Let simulated time pass for whoever calls."""
        wake = self.now + ms
        queue = self._queue
        if not queue or queue[0][0] > wake:
            self.now = wake
            return
        me = self.current
        if me is None:
            self._advance(wake)
            return
        if me.dead:
            raise Crash
        self.at(wake, me)
        self._pass_on(me)
        if me.dead:
            raise Crash

    def boundary(self, ms: int) -> None:
        """A point at which the current worker may be interrupted for some time, or die."""
        me = self.current
        if me is None:
            return
        if me.dead:
            raise Crash
        me.steps += 1
        if me.steps == me.crash_at:
            me.dead = True
            self.crashes += 1
            self.tell(me.name, "dies")
            raise Crash
        if ms:
            self.pause(ms)

    def kill(self) -> None:
        """All workers die: those at work at their next boundary, those to come never begin."""
        for worker in self.live:
            worker.dead = True
        # whoever was to begin later begins after this, and so lives

    def run(self) -> None:
        """Let everything happen, until nothing is left.

        Raises:
            Exception: what a worker or an event raised that it should not have.
        """
        self._pass_on(None)
        self.raise_error()

    def raise_error(self) -> None:
        """Raise what went wrong in a worker, once all the others are gone."""
        if self.error is not None:
            self._abort()
            raise self.error

    def _advance(self, until: int) -> None:
        """Time passes for the main thread alone; no worker lives."""
        while self._queue and self._queue[0][0] <= until:
            time_ms, _, item = heapq.heappop(self._queue)
            assert not isinstance(item, Worker)
            self.now = max(self.now, time_ms)
            item()
        self.now = max(self.now, until)

    def _pass_on(self, me: Worker | None, *, ended: bool = False) -> None:
        """Do what is due next; wait for the baton when that is another worker. ``None``: the main thread."""
        while self._queue and self.error is None:
            time_ms, _, item = heapq.heappop(self._queue)
            self.now = max(self.now, time_ms)
            if item is me:
                self.current = me
                return
            if isinstance(item, Worker):
                self.current = item
                self._resume(item)
                self._await(me, ended)
                return
            self.current = None
            try:
                item()
            except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
                self.error = self.error or error
        self.current = None
        if me is not None:
            self._main.release()
            self._await(me, ended)
        elif ended:
            self._main.release()

    def _await(self, me: Worker | None, ended: bool) -> None:
        if ended:
            return
        (self._main if me is None else me.gate).acquire()
        self.current = me

    def _resume(self, worker: Worker) -> None:
        if worker.thread is not None:
            worker.gate.release()
            return
        worker.thread = _idle.pop() if _idle else _Thread()
        if not worker.thread.is_alive():
            worker.thread.start()
        worker.thread.job = lambda: self._carry(worker)
        self.live.append(worker)
        worker.thread.wake.release()

    def _carry(self, worker: Worker) -> None:
        try:
            worker.body()
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self.error = self.error or error
        self.live.remove(worker)
        assert worker.thread is not None
        _idle.append(worker.thread)
        if self._aborting:
            self._main.release()
        else:
            self._pass_on(None, ended=True)

    def _abort(self) -> None:
        """End all workers that still live."""
        self._aborting = True
        for worker in list(self.live):
            worker.dead = True
            self.current = worker
            worker.gate.release()
            self._main.acquire()
        self.current = None
        self._queue.clear()
