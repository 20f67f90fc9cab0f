"""The contract as tests: what every channel type must pass, those of third parties included.

Subclass :class:`ChannelContract` in a test module, give it a ``world`` fixture, and pytest runs the rest::

    class TestTheContract(ChannelContract):
        @pytest.fixture
        def world(self) -> Iterator[World]:
            with a_sandbox() as sandbox:
                yield MyWorld(sandbox)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import pytest

from channels.contract import Channel, Level, Outcome, Page, Result, Write
from channels.diagnosis import Severity
from channels.errors import ChannelError, Denied, Throttled

#: What a world can be told to do to the next calls, until told ``"nothing"``.
Fault = Literal["nothing", "throttle", "deny", "crash", "hang up", "garbage", "drop the answer of a write"]


#: What a diagnosis asks people to do something about.
BAD = (Severity.WARNING, Severity.ERROR)


class World(Protocol):
    """A small outside world behind one channel, held by the test."""

    channel: Channel

    def put(self, sku: str, units: int) -> None:
        """Create a listing, or count it anew."""

    def remove(self, sku: str) -> None:
        """Take a listing away."""

    def shown(self, sku: str) -> int:
        """What the world truly holds, at once and by no call of the channel."""

    def sell(self, sku: str, units: int) -> None:
        """Sell units there, with an order where the channel has orders."""

    def fault(self, kind: Fault) -> None:
        """Do this to every call from now on; ``NotImplementedError`` where this world cannot (the test is skipped)."""

    def settle(self) -> None:
        """Let pass whatever delay the world has before it shows its writes."""


def read_everything(channel: Channel) -> list[Page]:
    """All pages of a full reading."""
    return list(channel.read_all())


def levels(pages: Sequence[Page]) -> dict[str, Level]:
    """The rows of a reading by SKU."""
    return {row.sku: row for page in pages for row in page.levels}


class ChannelContract:
    """Every adapter keeps these promises."""

    def test_a_full_reading_shows_every_listing_once_with_its_level(self, world: World) -> None:
        for number in range(30):
            world.put(f"SKU-{number}", number)
        rows = [row for page in read_everything(world.channel) for row in page.levels]
        assert sorted((row.sku, row.units) for row in rows) == sorted((f"SKU-{n}", n) for n in range(30))

    def test_a_reading_of_nothing_is_empty_and_not_an_error(self, world: World) -> None:
        assert levels(read_everything(world.channel)) == {}

    def test_refs_are_short_and_stay_the_same_between_readings(self, world: World) -> None:
        world.put("A", 1)
        world.put("B", 2)
        first = {sku: row.ref for sku, row in levels(read_everything(world.channel)).items()}
        world.put("A", 5)
        second = {sku: row.ref for sku, row in levels(read_everything(world.channel)).items()}
        assert first == second
        assert all(0 < len(ref) <= 64 for ref in first.values())

    def test_skus_are_opaque_text(self, world: World) -> None:
        names = ["007", "8801234567893", "a b", "Ä-1", "x/y%2F+z", "1e3"]
        for number, name in enumerate(names):
            world.put(name, number)
        assert set(levels(read_everything(world.channel))) == set(names)

    def test_a_reading_resumed_from_a_cursor_misses_nothing(self, world: World) -> None:
        for number in range(30):
            world.put(f"SKU-{number:02}", number)
        whole = read_everything(world.channel)
        for index, page in enumerate(whole):
            if page.cursor is None:
                continue
            rest = levels(list(world.channel.read_all(page.cursor)))
            assert set(levels(whole[: index + 1])) | set(rest) == set(levels(whole))

    def test_the_parts_of_a_reading_give_what_the_whole_would(self, world: World) -> None:
        for number in range(30):
            world.put(f"SKU-{number:02}", number)
        for page in read_everything(world.channel):
            if page.cursor is not None:
                parts = world.channel.split(page.cursor, 3)
                found = [row for part in parts for each in world.channel.read_all(part) for row in each.levels]
                whole = [row for each in world.channel.read_all(page.cursor) for row in each.levels]
                assert 1 <= len(parts) <= 3
                assert sorted(found) == sorted(whole)

    def test_what_was_changed_since_is_given_as_the_full_reading_gives_it(self, world: World) -> None:
        self._needs_changes(world)
        for number in range(30):
            world.put(f"SKU-{number}", number)
        whole = [row for page in read_everything(world.channel) for row in page.levels]
        changed = [row for page in world.channel.changed(datetime.now(UTC) - timedelta(hours=1)) for row in page.levels]
        assert sorted(changed) == sorted(whole)

    def test_nothing_changed_since_is_no_error(self, world: World) -> None:
        self._needs_changes(world)
        world.put("A", 1)
        assert levels(list(world.channel.changed(datetime.now(UTC) + timedelta(hours=1)))) == {}

    def test_what_cannot_be_told_of_changes_is_a_channel_error(self, world: World) -> None:
        self._needs_changes(world)
        world.put("A", 1)
        self._fault(world, "crash")
        with pytest.raises(ChannelError):
            list(world.channel.changed(datetime.now(UTC) - timedelta(hours=1)))

    def test_single_listings_are_read_as_the_full_reading_shows_them(self, world: World) -> None:
        self._needs_single_reads(world)
        for number in range(5):
            world.put(f"SKU-{number}", number)
        everything = levels(read_everything(world.channel))
        wanted = [everything["SKU-1"], everything["SKU-3"]]
        assert sorted(world.channel.read([row.ref for row in wanted]).levels) == sorted(wanted)

    def test_a_listing_that_is_gone_is_left_out_of_a_reading_not_zero(self, world: World) -> None:
        world.put("A", 3)
        world.put("B", 4)
        everything = levels(read_everything(world.channel))
        world.remove("A")
        assert "A" not in levels(read_everything(world.channel))
        if world.channel.capabilities.read_batch:
            page = world.channel.read([everything["A"].ref, everything["B"].ref])
            assert [row.sku for row in page.levels] == ["B"]

    def test_writes_bring_listings_to_their_targets_with_one_outcome_each(self, world: World) -> None:
        self._needs_writes(world)
        for number in range(7):
            world.put(f"SKU-{number}", 10)
        wanted = {f"SKU-{number}": number for number in range(7)}
        outcomes = self._write(world, wanted)
        assert {outcome.result for outcome in outcomes} <= {Result.CONFIRMED, Result.ACCEPTED}
        world.settle()
        assert {sku: world.shown(sku) for sku in wanted} == wanted

    def test_a_confirmed_outcome_carries_the_level_that_the_channel_shows(self, world: World) -> None:
        self._needs_writes(world)
        world.put("A", 10)
        (outcome,) = self._write(world, {"A": 4})
        if outcome.result is Result.CONFIRMED:
            assert outcome.level == 4
        else:
            assert outcome.result is Result.ACCEPTED

    def test_a_row_that_cannot_be_written_stops_only_itself(self, world: World) -> None:
        self._needs_writes(world)
        for sku in "ABC":
            world.put(sku, 10)
        rows = levels(read_everything(world.channel))
        world.remove("B")
        writes = [Write(rows[sku].ref, sku, 4, 10) for sku in "ABC"]
        outcomes = world.channel.write(writes)
        assert [outcome.ref for outcome in outcomes] == [write.ref for write in writes]
        assert outcomes[1].result is Result.REFUSED
        assert outcomes[1].reason
        world.settle()
        assert (world.shown("A"), world.shown("C")) == (4, 4)

    def test_a_throttled_reading_says_when_to_come_again(self, world: World) -> None:
        world.put("A", 1)
        self._fault(world, "throttle")
        with pytest.raises(Throttled) as caught:
            read_everything(world.channel)
        assert caught.value.retry_after_s > 0

    def test_a_throttled_write_is_put_off(self, world: World) -> None:
        assert self._outcome_under(world, "throttle").result is Result.DEFERRED
        assert world.shown("A") == 10

    def test_a_wrong_credential_is_denied_and_says_what_to_do(self, world: World) -> None:
        self._fault(world, "deny")
        with pytest.raises(Denied) as caught:
            read_everything(world.channel)
        assert caught.value.advice

    @pytest.mark.parametrize("kind", ["crash", "hang up", "garbage"])
    def test_trouble_in_a_reading_is_a_channel_error(self, world: World, kind: Fault) -> None:
        world.put("A", 1)
        self._fault(world, kind)
        with pytest.raises(ChannelError) as caught:
            read_everything(world.channel)
        assert world.channel.name in str(caught.value)

    @pytest.mark.parametrize("kind", ["crash", "hang up", "drop the answer of a write"])
    def test_a_write_whose_answer_is_lost_is_unknown(self, world: World, kind: Fault) -> None:
        assert self._outcome_under(world, kind).result is Result.UNKNOWN

    def test_orders_tell_what_was_sold(self, world: World) -> None:
        if not world.channel.capabilities.orders:
            pytest.skip("this channel knows no orders")
        world.put("A", 10)
        world.put("B", 10)
        world.sell("A", 2)
        world.sell("B", 1)
        world.sell("A", 3)
        sales = list(world.channel.sales(datetime.now(UTC) - timedelta(hours=1)))
        assert sum(sale.units for sale in sales if sale.sku == "A") == 5
        assert len({(sale.order, sale.line) for sale in sales}) == 3

    def test_a_diagnosis_finds_nothing_wrong_with_a_channel_that_is_well_and_changes_nothing(
        self, world: World
    ) -> None:
        world.put("A", 10)
        findings = list(world.channel.diagnose())
        assert [finding for finding in findings if finding.severity is Severity.ERROR] == []
        assert all(finding.about and finding.what for finding in findings)
        assert world.shown("A") == 10

    @pytest.mark.parametrize("kind", ["deny", "throttle", "crash", "hang up", "garbage"])
    def test_trouble_in_a_diagnosis_is_a_finding_with_advice(self, world: World, kind: Fault) -> None:
        world.put("A", 10)
        self._fault(world, kind)
        bad = [finding for finding in world.channel.diagnose() if finding.severity in BAD]
        assert bad
        assert all(finding.advice for finding in bad)

    def _write(self, world: World, wanted: dict[str, int]) -> list[Outcome]:
        rows = levels(read_everything(world.channel))
        writes = [Write(rows[sku].ref, sku, units, rows[sku].units) for sku, units in wanted.items()]
        size = world.channel.capabilities.write_batch
        batches = [writes[start : start + size] for start in range(0, len(writes), size)]
        return [outcome for batch in batches for outcome in world.channel.write(batch)]

    def _outcome_under(self, world: World, kind: Fault) -> Outcome:
        self._needs_writes(world)
        world.put("A", 10)
        rows = levels(read_everything(world.channel))
        self._fault(world, kind)
        (outcome,) = world.channel.write([Write(rows["A"].ref, "A", 4, 10)])
        world.fault("nothing")
        return outcome

    def _fault(self, world: World, kind: Fault) -> None:
        try:
            world.fault(kind)
        except NotImplementedError:
            pytest.skip(f"this world cannot {kind}")

    def _needs_writes(self, world: World) -> None:
        if not world.channel.capabilities.writes:
            pytest.skip("this channel is only read")

    def _needs_changes(self, world: World) -> None:
        if not world.channel.capabilities.full_every_s:
            pytest.skip("this channel does not tell what has changed")

    def _needs_single_reads(self, world: World) -> None:
        if not world.channel.capabilities.read_batch:
            pytest.skip("this channel is only read whole")
