"""The real store with a simulated clock: every command is a boundary, before it and after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any, cast

from sync.storage.store import PREFIX, Call, Store, script
from tests.simulator.engine import Engine, Worker
from tests.simulator.trace import lines
from tests.simulator.wire import LeanPipeline, LeanRedis, Wire

#: Called before and after each round trip.
Boundary = Callable[[], None]


#: After so many steps a run has lost its way; a long one takes a tenth of them.
STEPS = 30_000


#: What the keys of the backup begin with.
BACKUP = "backup:"

COPY = """
for _, key in ipairs(redis.call('KEYS', ARGV[3] .. 'is:*')) do redis.call('DEL', key) end
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  redis.call('COPY', key, ARGV[3] .. string.sub(key, ARGV[2] + 1))
end
"""


class SimPipeline(LeanPipeline):
    """A pipeline whose round trip is a boundary."""

    boundary: Boundary
    answered: Callable[[list[Any]], None]

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """One round trip."""
        self.boundary()
        answers = super().execute(raise_on_error)
        self.answered(answers)
        self.boundary()
        return answers


class SimRedis(LeanRedis):
    """A client every round trip of which is a boundary."""

    boundary: Boundary = staticmethod(lambda: None)
    answered: Callable[[list[Any]], None] = staticmethod(lambda _: None)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """One round trip."""
        self.boundary()
        answer = super().execute_command(*args, **options)
        self.boundary()
        return answer

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> SimPipeline:
        """Several commands in one round trip."""
        pipeline = SimPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.owner, pipeline.boundary, pipeline.answered = self, self.boundary, self.answered
        return pipeline


class SimStore(Store):
    """The store of one process of the simulator, used by one run after the other.

    The trace tells of each script what it was asked and what it answered.
    """

    client: SimRedis
    engine: Engine
    #: How many runs of rows were known by their notes.
    known_again: int

    def __init__(self, url: str, database: int = 0) -> None:
        super().__init__(url)
        self.client.close()
        self.client = cast("SimRedis", SimRedis.from_url(url, decode_responses=True, protocol=2))
        self.client.wire = Wire(url.removeprefix("unix://"), database)
        for path in files("sync").joinpath("lua").iterdir():  # a script that is not known yet would cost a boundary
            if path.name.endswith(".lua") and not path.name.startswith("lib_"):
                self.client.script_load(script(path.name.removesuffix(".lua")).text)

    def close(self) -> None:
        """Hang up."""
        self.client.wire.close()

    def attach(self, engine: Engine) -> None:
        """Forget all data and begin a run."""
        self.client.boundary = lambda: None
        self.client.flushdb()
        self.engine = engine
        self._steps = 0
        self.known_again = 0
        self._asked: dict[Worker | None, tuple[str, Sequence[Call]]] = {}
        self.client.boundary, self.client.answered = self._boundary, self._answered

    def keep(self) -> None:
        """Make a backup."""
        self._copy(f"{PREFIX}*", "", BACKUP)

    def set_back(self) -> None:
        """Restore the backup."""
        self._copy(f"{BACKUP}*", BACKUP, "")

    def _copy(self, which: str, before: str, after: str) -> None:
        """Copy keys under names with another beginning, and drop all others that begin so."""
        self.client.eval(COPY, 0, which, len(before), after)

    def now_ms(self) -> int:
        """The simulated clock; reading it is a boundary too."""
        now = self.engine.now
        self._boundary()
        return now

    def run(self, name: str, calls: Sequence[Call]) -> list[Any]:
        """Run a script, and have it told of."""
        self._asked[self.engine.current] = (name, calls)
        try:
            answers = super().run(name, calls)
        finally:
            self._asked.pop(self.engine.current, None)
        self.known_again += sum(answers) if name == "same" else 0
        return answers

    def _answered(self, answers: list[Any]) -> None:
        """Tell of a script at the moment at which it ran; its caller may hear of it much later."""
        worker = self.engine.current
        asked = self._asked.pop(worker, None)
        if not asked or not self.engine.say or asked[0] == "waiting":
            return
        if any(isinstance(answer, Exception) for answer in answers):  # not known yet: it will be run again
            self._asked[worker] = asked
            return
        for line in lines(*asked, answers, self.engine.start_ms):
            self.engine.tell(worker.name if worker else "", f"    {line}")

    def _boundary(self) -> None:
        self._steps += 1
        assert self._steps < STEPS, f"it goes on for ever: {STEPS} steps and no end"
        worker = self.engine.current
        if worker is None:
            return
        chance, odd = worker.rng.random(), worker.stalls
        if chance < 0.9 - 5 * odd:
            self.engine.boundary(0)
        elif chance < 1 - odd:
            self.engine.boundary(int(chance * 10_000) % (900 if odd else 40))
        else:
            self.engine.boundary(worker.rng.choice((2_000, 9_000, 35_000, 75_000)))
