"""What waits to be done, as it stands in the store (rule 14): tasks only ring, this is what they look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import NamedTuple, cast

from sync.storage.store import BUCKETS, Call, Store, bucket_of, bucket_prefix

#: What separates the classes of urgency in the ranks of dirty listings (see ``lua/lib_dirty.lua``).
CLASS = 1e13

#: Where each class begins.
CLASSES = (0.0, CLASS, 2 * CLASS)


class Waiting(NamedTuple):
    """How much waits on one channel."""

    #: Listings whose target may differ from their level.
    dirty: int
    #: Listings marked to be read again, due or not.
    marks: int
    #: Writes that no answer or reading has settled yet, due or not.
    open: int
    #: Of marks and open writes, those that are due now.
    due: int
    #: Written listings not yet checked against orders, due or not.
    audits: int


class Crowd(NamedTuple):
    """The marks of a channel that are due now, and what else is to be read soon."""

    size: int
    #: When the newest of them fell due, in milliseconds; 0 where there is none.
    newest_ms: int
    #: Marks and open writes that are not due yet, and soon will be.
    soon: int = 0


class Marks(NamedTuple):
    """What the worklists say about one listing. Times are milliseconds by the store's clock."""

    #: Since when it is marked to be written; ``None``: it is not.
    dirty_ms: int | None
    #: When its orders are to be looked at; ``None``: they need not be.
    audit_ms: int | None


class Worklist:
    """The marks on one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def dirty(self, channel: str, limit: int) -> list[str]:
        """Folded SKUs whose listing may be wrong, the most urgent first and then the longest waiting."""
        return list(self.ranks(channel, limit))

    def ranks(self, channel: str, limit: int) -> dict[str, float]:
        """About ``limit`` of them with their ranks: the class times ``CLASS``, and since when (ms)."""
        share = -(-limit // BUCKETS)
        found = self._each("dirty", channel, lambda pipeline, key: pipeline.zrange(key, 0, share - 1, withscores=True))
        rows = [(rank, sku) for bucket in found for sku, rank in bucket]
        return {sku: rank for rank, sku in sorted(rows)}

    def first_rank(self, channel: str) -> float | None:
        """The rank of the most urgent dirty listing."""
        return min(self.ranks(channel, 1).values(), default=None)

    def dirty_in(self, bucket: int, channel: str) -> list[str]:
        """All folded SKUs of one bucket whose listing may be wrong, in no order."""
        return cast("list[str]", self.store.client.zrange(_key(bucket, "dirty", channel), 0, -1))

    def dirty_count(self, channel: str) -> int:
        """How many listings may be wrong."""
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            pipeline.zcard(_key(bucket, "dirty", channel))
        return sum(pipeline.execute())

    def due_marks(self, channel: str, now_ms: int, limit: int) -> list[str]:
        """Refs to be read again now, the longest waiting first."""
        return self._due("marks", channel, now_ms, limit)

    def due_writes(self, channel: str, now_ms: int, limit: int) -> list[str]:
        """Folded SKUs with an open write whose fate a reading may tell now."""
        return self._due("open", channel, now_ms, limit)

    def due_audits(self, channel: str, now_ms: int, limit: int) -> list[str]:
        """Folded SKUs that were written and are to be checked against orders now."""
        return self._due("audits", channel, now_ms, limit)

    def audit_later(self, channel: str, folded: Iterable[str], due_ms: int) -> None:
        """Check these against orders again, not before ``due_ms``."""
        self._put_off("audits", channel, folded, due_ms)

    def mark(self, channel: str, refs: Iterable[str], due_ms: int) -> None:
        """Have these listings read again, not before ``due_ms``."""
        pipeline = self.store.client.pipeline(transaction=False)
        for ref in refs:
            pipeline.zadd(_key(bucket_of(ref), "marks", channel), {ref: due_ms}, gt=True)
        pipeline.execute()

    def unmark(self, channel: str, refs: Sequence[str], began_ms: int) -> dict[str, int]:
        """Take back the marks that a reading which began then has answered; later hints stay.

        Gives, for those that events have set, when (ms) the first of them came.
        """
        calls = [
            Call([_key(bucket, "marks", channel), _key(bucket, "heard", channel)], [began_ms, *refs])
            for bucket in range(BUCKETS)
        ]
        return {
            ref: heard_ms
            for answer in self.store.run("unmark", calls)
            for ref, heard_ms in zip(answer[1::2], answer[2::2], strict=True)
        }

    def suspect(self, channel: str, folded: Iterable[str], now_ms: int) -> int:
        """Have listings looked at again whose targets may have changed, though their stock has not; gives how many."""
        calls = [Call([bucket_prefix(bucket)], [channel, now_ms, *mine]) for bucket, mine in _by_bucket(folded).items()]
        return sum(self.store.run("suspect", calls))

    def hush(self, channel: str, refs: Iterable[str], now_ms: int, until_ms: int) -> None:
        """Have hints about these listings wait: they are about to be written, and no reading before then counts."""
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket, mine in _by_bucket(refs).items():
            key = _key(bucket, "quiet", channel)
            pipeline.zremrangebyscore(key, "-inf", now_ms)
            pipeline.zadd(key, dict.fromkeys(mine, until_ms), gt=True)
        pipeline.execute()

    def crowd(self, channel: str, now_ms: int, soon_ms: int) -> Crowd:
        """The marks that are due, and how much falls due within the next ``soon_ms``."""
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            marks, open_ = _key(bucket, "marks", channel), _key(bucket, "open", channel)
            pipeline.zcount(marks, "-inf", now_ms)
            pipeline.zrange(marks, now_ms, "-inf", desc=True, byscore=True, offset=0, num=1, withscores=True)
            for key in (marks, open_):
                pipeline.zcount(key, f"({now_ms}", now_ms + soon_ms)
        found = pipeline.execute()
        newest_ms = max((round(due) for rows in found[1::4] for _, due in rows), default=0)
        return Crowd(sum(found[::4]), newest_ms, sum(found[2::4]) + sum(found[3::4]))

    def look_later(self, channel: str, folded: Iterable[str], due_ms: int) -> None:
        """Look at these open writes again, not before ``due_ms``."""
        self._put_off("open", channel, folded, due_ms)

    def waiting(self, channel: str, now_ms: int) -> Waiting:
        """How much waits on a channel."""
        calls = [Call([bucket_prefix(bucket)], [channel, now_ms]) for bucket in range(BUCKETS)]
        dirty, marks, open_, audits, due = (
            sum(counts) for counts in zip(*self.store.run("waiting", calls), strict=True)
        )
        return Waiting(dirty, marks, open_, due, audits)

    def overdue(self, channel: str, now_ms: int) -> dict[str, float]:
        """For how many seconds the longest waiting of each kind of work has been due; 0 where none is."""
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            for start in CLASSES:
                pipeline.zrange(
                    _key(bucket, "dirty", channel), start, "+inf", byscore=True, offset=0, num=1, withscores=True
                )
            for kind in ("marks", "open", "audits"):
                pipeline.zrange(_key(bucket, kind, channel), 0, 0, withscores=True)
        found: dict[str, float] = dict.fromkeys(("push", "read", "confirm", "audit"), now_ms)
        kinds = cycle((*("push" for _ in CLASSES), "read", "confirm", "audit"))
        for work, rows in zip(kinds, pipeline.execute(), strict=False):
            for _, score in rows:
                found[work] = min(found[work], score % CLASS)
        return {work: (now_ms - since_ms) / 1000 for work, since_ms in found.items()}

    def next_look_ms(self, channel: str) -> int | None:
        """When the next mark or open write is due; ``None`` when there is none."""
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            for kind in ("marks", "open"):
                pipeline.zrange(_key(bucket, kind, channel), 0, 0, withscores=True)
        dues = [due for found in pipeline.execute() for _, due in found]
        return round(min(dues)) if dues else None

    def marks_of(self, listings: Sequence[tuple[str, str]]) -> list[Marks]:
        """What is said about each of these listings: a channel and a folded SKU."""
        pipeline = self.store.client.pipeline(transaction=False)
        for channel, sku in listings:
            for kind in ("dirty", "audits"):
                pipeline.zscore(_key(bucket_of(sku), kind, channel), sku)
        scores: list[float | None] = pipeline.execute()
        return [
            Marks(None if rank is None else round(rank % CLASS), None if due is None else round(due))
            for rank, due in zip(scores[::2], scores[1::2], strict=True)
        ]

    def _put_off(self, kind: str, channel: str, folded: Iterable[str], due_ms: int) -> None:
        pipeline = self.store.client.pipeline(transaction=False)
        for sku in folded:
            pipeline.zadd(_key(bucket_of(sku), kind, channel), {sku: due_ms}, xx=True)
        pipeline.execute()

    def _due(self, kind: str, channel: str, now_ms: int, limit: int) -> list[str]:
        share = -(-limit // BUCKETS)
        found = self._each(
            kind,
            channel,
            lambda pipeline, key: pipeline.zrangebyscore(key, "-inf", now_ms, start=0, num=share, withscores=True),
        )
        rows = [(score, name) for bucket in found for name, score in bucket]
        return list(dict.fromkeys(name for _, name in sorted(rows)))

    def _each(self, kind: str, channel: str, ask: object) -> list[list[tuple[str, float]]]:
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            ask(pipeline, _key(bucket, kind, channel))  # type: ignore[operator]
        return cast("list[list[tuple[str, float]]]", pipeline.execute())


def _by_bucket(refs: Iterable[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for ref in refs:
        found.setdefault(bucket_of(ref), []).append(ref)
    return found


def _key(bucket: int, kind: str, channel: str) -> str:
    return f"{bucket_prefix(bucket)}{kind}:{channel}"
