"""Bundles: what is sold of one is booked on its components, and what they allow is how many there are of it.

A bundle's record and those of its components may lie in different slots, so no one step can change both. Each movement
of either marks it in the same step (``kin``, see ``lua/lib_movement.lua``); here the marks are worked off:

- what was sold of a bundle is booked on each component (``lua/book.lua``), whose record says up to which revision of
  the bundle that has been done;
- how many its components allow is worked out (``lua/assemble.lua``), and the difference to the bundle's on hand becomes
  a movement of its own, so that on hand stays the sum of its movements and whoever had worked out a target from the
  number before is told that it has moved.

Both scripts change nothing when they run again, late, or beside another process; whoever dies leaves the marks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

from sync.stock.recipes import Part, Recipe, Recipes, read_back
from sync.storage.store import BUCKETS, Call, Store, bucket_of, bucket_prefix

#: How many marks of each bucket are worked off together.
GATHER = 50

#: What the fields of a bundle's record begin with that say when each component came into the recipe.
SINCE = "bundle:since:"

#: How far back the movements of a bundle are looked for; what is older is booked as one.
FAR = 100


class Count(NamedTuple):
    """A revision of a bundle, and the units that all channels had moved of it by then."""

    revision: int
    own: int

    @classmethod
    def parse(cls, text: str | None) -> Count | None:
        """From the text of the store."""
        revision, own = text.split(" ") if text else ("", "")
        return cls(int(revision), int(own)) if text else None


class _Head(NamedTuple):
    """What a bundle's record says of what was sold."""

    now: Count
    #: The last movement of its own, which no component has brought about.
    last: str
    #: When each component came into the recipe.
    since: Sequence[Count | None]


class Bundles:
    """The bundles of one stock of record.

    Parameters:
        store: Where it is kept.
        recipes: What they are made of.
        writable: The channels that can be written.
    """

    def __init__(self, store: Store, recipes: Recipes, writable: Sequence[str]) -> None:
        self.store = store
        self.recipes = recipes
        self._writable: list[str | int] = [len(writable), *writable]
        self._linked = False

    def link(self) -> None:
        """Note in the store what is a bundle, and what is none any longer, before anything moves. Done once by each
        process."""
        if self._linked:
            return
        self._unlink()
        calls = [
            Call(
                [bucket_prefix(bucket_of(recipe.folded))],
                [recipe.folded, recipe.sku, str(recipe), *(part.folded for part in recipe.parts)],
            )
            for recipe in self.recipes.bundles.values()
        ]
        self.store.run("link", calls)
        self._linked = True

    def _unlink(self) -> None:
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            pipeline.smembers(f"{bucket_prefix(bucket)}bundles")
        noted: list[set[str]] = pipeline.execute()
        self._book(self._outdated(sorted(set().union(*noted))))  # whoever sold them may have died before
        gone = [sorted(mine - self.recipes.bundles.keys()) for mine in noted]
        now_ms = self.store.now_ms() if any(gone) else 0
        calls = [
            Call([bucket_prefix(bucket)], [now_ms, *self._writable, *mine]) for bucket, mine in enumerate(gone) if mine
        ]
        self.store.run("unlink", calls)

    def _outdated(self, noted: Sequence[str]) -> list[Recipe]:
        """Those of these bundles that are made otherwise now, or are none any longer: as the store has them."""
        pipeline = self.store.client.pipeline(transaction=False)
        for bundle in noted:
            pipeline.hget(_record(bundle), "bundle:recipe")
        texts = dict(zip(noted, pipeline.execute(), strict=True))
        others = [name for name, text in texts.items() if text and text != str(self.recipes.bundles.get(name))]
        for bundle in others:
            pipeline.hkeys(_record(bundle))
        return [
            read_back(bundle, texts[bundle], {field.removeprefix(SINCE) for field in fields if field.startswith(SINCE)})
            for bundle, fields in zip(others, pipeline.execute(), strict=True)
        ]

    def work(self) -> None:
        """Work off all marks. Costs one look where nothing is marked, and nothing where there are no bundles."""
        if not self.recipes:
            return
        self.link()
        while marks := self.marks():
            sold = [self.recipes.bundles[sku] for sku in marks if sku in self.recipes.bundles]
            made = [self.recipes.bundles[name] for sku in marks for name in self.recipes.made_with(sku)]
            self._book(sold)
            self._assemble(list(dict.fromkeys([*sold, *made])))
            self._done(marks)

    def marks(self) -> dict[str, int]:
        """Bundles and components that have moved, with the revisions that they moved to."""
        pipeline = self.store.client.pipeline(transaction=False)
        for bucket in range(BUCKETS):
            pipeline.zrange(_kin(bucket), 0, GATHER - 1, withscores=True)
        return {sku: int(score) for rows in pipeline.execute() for sku, score in rows}

    def _book(self, bundles: Sequence[Recipe]) -> None:
        heads = self._heads(bundles)
        calls = []
        for recipe, head, booked in zip(bundles, heads, self._booked(bundles), strict=True):
            for part, since, done in zip(recipe.parts, head.since, booked, strict=True):
                if since is None:  # the recipe has changed; whoever changed it marks the bundle again
                    continue
                if done is None or done.revision < since.revision:
                    done = since
                if done.revision < head.now.revision:
                    rows = self._movements(recipe, head.last, done)
                    calls.append(self._booking(recipe, part, head.now, since, rows))
        self.store.run("book", calls)

    def _booking(self, recipe: Recipe, part: Part, now: Count, since: Count, rows: Iterable[str]) -> Call:
        head: list[str | int] = [self.store.now_ms(), *self._writable, *self.recipes.kin([part.folded])]
        cause = f"{recipe.sku}, {part.units} in each"
        what: list[str | int] = [part.folded, recipe.folded, part.units, *now, *since, cause]
        return Call([bucket_prefix(bucket_of(part.folded))], [*head, *what, *rows])

    def _movements(self, recipe: Recipe, last: str, done: Count) -> list[str]:
        """The movements by which channels moved units of a bundle since then, oldest first, as the script has them."""
        found: list[list[str]] = []
        stream = f"{bucket_prefix(bucket_of(recipe.folded))}movements"
        for _ in range(FAR):
            entry = self.store.client.xrange(stream, last, last) if last else None
            if not entry:
                break
            fields = cast("dict[str, str]", entry[0][1])
            if int(fields["rev"]) <= done.revision:
                break
            cause = f"{recipe.sku}: {fields['cause']}"
            found.append([fields["rev"], fields["units"], fields["channel"], fields["why"], cause, fields["level"]])
            last = fields["own_prev"]
        return [value for row in reversed(found) for value in row]

    def _assemble(self, bundles: Sequence[Recipe]) -> None:
        pipeline = self.store.client.pipeline(transaction=False)
        for recipe in bundles:
            for part in recipe.parts:
                pipeline.hmget(_record(part.folded), ["rev", "on_hand", f"bundle:booked:{recipe.folded}"])
        stands = iter(pipeline.execute())
        now_ms = self.store.now_ms()
        calls = []
        for recipe in bundles:
            args: list[str | int] = [now_ms, *self._writable, recipe.folded]
            for part in recipe.parts:
                revision, on_hand, booked = next(stands)
                args += [part.folded, part.sku, part.units, revision or 0, on_hand or "", booked or ""]
            calls.append(Call([bucket_prefix(bucket_of(recipe.folded))], args))
        self.store.run("assemble", calls)

    def _heads(self, bundles: Sequence[Recipe]) -> list[_Head]:
        pipeline = self.store.client.pipeline(transaction=False)
        for recipe in bundles:
            since = (SINCE + part.folded for part in recipe.parts)
            pipeline.hmget(_record(recipe.folded), ["rev", "bundle:own", "bundle:last", *since])
        return [
            _Head(Count(int(rev or 0), int(own or 0)), last or "", [Count.parse(text) for text in since])
            for rev, own, last, *since in pipeline.execute()
        ]

    def _booked(self, bundles: Sequence[Recipe]) -> list[list[Count | None]]:
        pipeline = self.store.client.pipeline(transaction=False)
        for recipe in bundles:
            for part in recipe.parts:
                pipeline.hget(_record(part.folded), f"bundle:booked:{recipe.folded}")
        texts = iter(pipeline.execute())
        return [[Count.parse(next(texts)) for _ in recipe.parts] for recipe in bundles]

    def _done(self, marks: dict[str, int]) -> None:
        rows: dict[int, list[str | int]] = {}
        for sku, revision in marks.items():
            rows.setdefault(bucket_of(sku), []).extend((sku, revision))
        self.store.run("kin_done", [Call([_kin(bucket)], args) for bucket, args in rows.items()])


def _record(folded: str) -> str:
    return f"{bucket_prefix(bucket_of(folded))}sku:{folded}"


def _kin(bucket: int) -> str:
    return f"{bucket_prefix(bucket)}kin"
