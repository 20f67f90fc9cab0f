"""How long news takes: from the webhook that brings them to the write that they bring about on another channel.

The moment of an event stands in the store beside the marks that it sets, and then beside the number that it changed:

``is:{bucket}:heard:<channel>``
    zset ref -> ms: when the first event came that no reading has answered yet (see ``lua/keep.lua``).
``is:{bucket}:news``
    hash folded -> ``revision ms channel``: the event behind on hand as it was at that revision. Forgotten after
    ``NEWS_S`` without news: a write that takes longer is a matter of the oldest waiting write, not of latency. Where
    there are always news, all of them are forgotten now and then.

What dies in between loses a measurement and nothing else. Where several events are behind one number, the last of
them is measured, from the first hint of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from channels import Channel
from sync.storage.store import Store, bucket_of, bucket_prefix
from sync.telemetry.counters import Counters

#: For how long an event is remembered beside a number, in seconds.
NEWS_S = 900.0

#: Of so many SKUs at most an event is remembered in each bucket.
MOST = 10_000

#: The upper bounds of the histogram's buckets, in seconds.
BOUNDS_S = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)

#: The name of the bucket above them all, and that of the counter.
ABOVE = "+Inf"
NAME = "event_to_write"


class Latency:
    """The measurements on one store.

    Parameters:
        store: Where events are remembered.
        counters: Where measurements are counted: ``event_to_write`` by channel, result and bucket, and
            ``event_to_write_ms`` by channel and result.
    """

    def __init__(self, store: Store, counters: Counters) -> None:
        self.store = store
        self.counters = counters

    def moved(self, channel: str, since: Mapping[str, int]) -> None:
        """A reading of this channel has changed on hand of these folded SKUs, because of events at those times (ms)."""
        if not since:
            return
        pipeline = self.store.client.pipeline(transaction=False)
        for folded in since:
            pipeline.hget(f"{bucket_prefix(bucket_of(folded))}sku:{folded}", "rev")
        for (folded, at_ms), revision in zip(since.items(), pipeline.execute(), strict=True):
            news = _news(folded)
            pipeline.hset(news, folded, f"{revision} {at_ms} {channel}")
            pipeline.pexpire(news, round(NEWS_S * 1000))
            pipeline.hlen(news)
        full = {_news(folded) for folded, size in zip(since, pipeline.execute()[2::3], strict=True) if size > MOST}
        for news in full:
            self.store.client.delete(news)

    def behind(self, channel: str, revisions: Mapping[str, int]) -> dict[str, int]:
        """When (ms) the event came that is behind the number of a folded SKU at its revision, on another channel."""
        rows: dict[int, list[str]] = {}
        for folded in revisions:
            rows.setdefault(bucket_of(folded), []).append(folded)
        pipeline = self.store.client.pipeline(transaction=False)
        for mine in rows.values():
            pipeline.hmget(_news(mine[0]), mine)
        found = {}
        for mine, answer in zip(rows.values(), pipeline.execute(), strict=True):
            for folded, news in zip(mine, answer, strict=True):
                revision, at_ms, source = (news or "-1 0 -").split(" ")
                if int(revision) == revisions[folded] and source != channel:
                    found[folded] = int(at_ms)
        return found

    def written(self, channel: str, result: str, took_ms: int) -> None:
        """A write to a channel has ended, so long after the event that is behind it."""
        bucket = next((f"{bound:g}" for bound in BOUNDS_S if took_ms <= bound * 1000), ABOVE)
        self.counters.add(NAME, channel, result, bucket)
        self.counters.add(f"{NAME}_ms", channel, result, by=max(0, took_ms))


def since(channel: Channel, moved: Mapping[str, str], heard: Mapping[str, int]) -> dict[str, int]:
    """When (ms) the first event came that named the listing of each of these SKUs, or its product.

    ``moved``: the refs of their listings, by folded SKU; ``heard``: when events came, by the ref that they named.
    """
    found = {}
    for folded, ref in moved.items():
        times = [heard[name] for name in channel.event_refs(ref) if name in heard]
        if times:
            found[folded] = min(times)
    return found


def _news(folded: str) -> str:
    return f"{bucket_prefix(bucket_of(folded))}news"
