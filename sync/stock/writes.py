"""Claiming listings for a write and settling what became of it (rules 1, 2 and 5)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, cast

from channels import Capabilities, Result
from sync.legible import shown
from sync.storage.store import Call, Store, bucket_of, bucket_prefix

#: For how long a writer may hold a claim, in seconds. After it a write that was not settled counts as unknown.
LEASE_S = 60.0

#: The most of a channel's words that is kept with a parked row, in characters.
WORDS_LIMIT = 500


class Intent(NamedTuple):
    """A listing to be brought to a target that was worked out at a revision."""

    folded: str
    revision: int
    target: int
    #: The channel's id of it as it was known then; empty: whichever it is.
    ref: str = ""


Answer = Literal["claimed", "right", "moved", "busy", "held", "gone", "wrong"]


class Claim(NamedTuple):
    """The answer to an intent (see ``lua/claim.lua``)."""

    folded: str
    what: Answer
    #: The confirmed level from which the write starts; 0 unless claimed.
    base: int
    target: int


class Settlement(NamedTuple):
    """What a writer learnt of one write."""

    folded: str
    result: Result
    words: str = ""


class Writes:
    """The claims on one store."""

    def __init__(self, store: Store, *, lease_s: float = LEASE_S) -> None:
        self.store = store
        self.lease_s = lease_s

    def new_token(self) -> str:
        """A token that tells this writer's claims from all others."""
        return uuid.uuid4().hex[:16]

    def claim(
        self,
        channel: str,
        token: str,
        intents: Sequence[Intent],
        now_ms: int,
        *,
        capabilities: Capabilities,
        guard_ms: int,
    ) -> list[Claim]:
        """Claim listings whose record is still at the revision of the intent. One answer for each, in order.

        ``guard_ms``: when the reading just before the write began; for a channel that cannot be read so, now.
        """
        head: list[str | int] = [
            channel,
            now_ms,
            round(self.lease_s * 1000),
            token,
            int(capabilities.orders),
            guard_ms,
            round(capabilities.settle_s * 1000),
            round(capabilities.order_margin_s * 1000),
        ]
        answers = self._by_bucket("claim", head, intents, width=2)
        return [
            Claim(intent.folded, cast(Answer, what), int(base or 0), intent.target)
            for intent, (what, base) in zip(intents, answers, strict=True)
        ]

    def rest(self, channel: str, intents: Sequence[Intent], now_ms: int) -> None:
        """Have listings no longer looked at that are right, busy, held or gone, if they still are. Claims nothing."""
        nothing = Capabilities(writes=True)
        self.claim(channel, "", intents, now_ms, capabilities=nothing, guard_ms=now_ms)

    def settle(
        self, channel: str, token: str, settlements: Sequence[Settlement], now_ms: int, *, settle_s: float
    ) -> list[str]:
        """Settle claimed writes. ``late`` for those that are no longer this writer's, else ``done``, in order.

        ``now_ms`` is taken after the write ended; ``settle_s`` is the channel's settle time.
        """
        head: list[str | int] = [channel, now_ms, round(settle_s * 1000), token]
        rows = [(row.folded, row.result.value, shown(row.words)[:WORDS_LIMIT]) for row in settlements]
        return [what for (what,) in self._by_bucket("settle", head, rows, width=1)]

    def retry(self, channel: str, skus: Sequence[str], now_ms: int) -> int:
        """Let parked listings of these folded SKUs be tried again; gives how many there were."""
        rows: dict[int, list[str]] = {}
        for sku in skus:
            rows.setdefault(bucket_of(sku), []).append(sku)
        calls = [Call([bucket_prefix(bucket)], [channel, now_ms, *mine]) for bucket, mine in rows.items()]
        return sum(self.store.run("retry", calls))

    def _by_bucket(
        self, script: str, head: list[str | int], rows: Sequence[tuple[str | int, ...]], *, width: int
    ) -> Iterable[tuple[str, ...]]:
        """Run a script once for each bucket; give ``width`` answers for each row, in the order of the rows."""
        places: dict[int, list[int]] = {}
        for place, row in enumerate(rows):
            places.setdefault(bucket_of(str(row[0])), []).append(place)
        calls = [
            Call([bucket_prefix(bucket)], [*head, *(value for place in mine for value in rows[place])])
            for bucket, mine in places.items()
        ]
        answers: list[tuple[str, ...]] = [()] * len(rows)
        for mine, flat in zip(places.values(), self.store.run(script, calls), strict=True):
            for index, place in enumerate(mine):
                answers[place] = tuple(flat[index * width : (index + 1) * width])
        return answers
