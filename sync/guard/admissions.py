"""Listings whose write a person has let through one by one, past the gate: those of a plan that is applied.

``is:{bucket}:admitted:<channel>``, a zset of folded SKUs with the revision at which each was looked at. A listing whose
stock has moved since waits like all others; the number that is written is worked out when it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sync.storage.store import BUCKETS, Store, bucket_of, bucket_prefix

#: For how long an admission lasts, in seconds.
LASTS_S = 3600.0


class Admissions:
    """The admissions on one store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def admit(self, channel: str, revisions: Sequence[tuple[str, int]]) -> None:
        """Let these folded SKUs pass, as they stand at these revisions."""
        pipeline = self.store.client.pipeline(transaction=False)
        for folded, revision in revisions:
            key = _key(bucket_of(folded), channel)
            pipeline.zadd(key, {folded: revision})
            pipeline.pexpire(key, round(LASTS_S * 1000))
        pipeline.execute()

    def any(self, channel: str) -> bool:
        """Whether there are any."""
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            pipeline.zcard(_key(bucket, channel))
        return any(pipeline.execute())

    def ranks(self, channel: str, limit: int) -> dict[str, float]:
        """About ``limit`` admitted listings that are still wrong, with their ranks among all (see the worklist).

        What is dealt with, or has moved, is no longer admitted.
        """
        share = -(-limit // BUCKETS)
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            pipeline.zrange(_key(bucket, channel), 0, share - 1, withscores=True)
        parts = enumerate(pipeline.execute())
        admitted = [(bucket, sku, round(revision)) for bucket, rows in parts for sku, revision in rows]
        for bucket, sku, _ in admitted:
            pipeline.zscore(f"{bucket_prefix(bucket)}dirty:{channel}", sku)
            pipeline.hget(f"{bucket_prefix(bucket)}sku:{sku}", "rev")
        answers = pipeline.execute()
        found: dict[str, float] = {}
        for (bucket, sku, revision), rank, now in zip(admitted, answers[::2], answers[1::2], strict=True):
            if rank is None or int(cast("str | None", now) or 0) != revision:
                pipeline.zrem(_key(bucket, channel), sku)
            else:
                found[sku] = float(rank)
        pipeline.execute()
        return dict(sorted(found.items(), key=lambda row: row[1]))


def _key(bucket: int, channel: str) -> str:
    return f"{bucket_prefix(bucket)}admitted:{channel}"
