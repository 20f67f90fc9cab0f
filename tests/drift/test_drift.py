"""Why a listing does not show its target: judged rightly in each situation, and one of the kinds in all of them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from channels import Level, Result
from sync.deadline import Deadline
from sync.guard.holds import Kind as Run
from sync.guard.pauses import Pause
from sync.policy.rules import Rule
from sync.policy.targets import Policy
from sync.pull import pull
from sync.push import push
from sync.stock.ledger import Movement
from sync.stock.records import Hold, Listing, OpenWrite, Record
from sync.stock.worklist import Marks
from sync.views import drift
from sync.views.drift import Drift, Kind, differs, judge
from tests.conftest import Fate, Town

MS = st.integers(0, 2**41)
UNITS = st.integers(-5, 20)


@st.composite
def listings(draw: st.DrawFn) -> tuple[Record, Listing]:
    revision = draw(st.integers(0, 3))
    write = draw(
        st.none()
        | st.builds(
            OpenWrite,
            phase=st.sampled_from(["sent", "accepted", "unknown"]),
            target=UNITS,
            base=UNITS,
            revision=st.just(revision),
            token=st.just("t"),
            began_ms=MS,
            ended_ms=MS,
            lease_ms=MS,
        )
    )
    hold = draw(
        st.none()
        | st.builds(Hold, kind=st.sampled_from(["parked", "quarantined", "missing"]), mark=MS, words=st.just("words"))
        | st.builds(Hold, kind=st.just("parked"), mark=st.just(revision), words=st.just("words"))
    )
    listing = Listing("store", "ref", draw(UNITS), write, hold)
    return Record("a", "A", draw(UNITS), revision, "", {"store": listing}), listing


MARKS = st.builds(Marks, dirty_ms=st.none() | MS, audit_ms=st.none() | MS)
LAST = st.none() | st.builds(
    Movement,
    id=st.just("1-0"),
    sku=st.just("A"),
    at=st.just(datetime(2026, 1, 31, tzinfo=UTC)),
    channel=st.sampled_from(["store", "till"]),
    units=UNITS.filter(bool),
    on_hand=UNITS,
    revision=st.integers(1, 3),
    why=st.sampled_from(["changed", "opened", "sold under a write"]),
    cause=st.just("reading of store"),
    level=UNITS,
)
PAUSE = st.none() | st.builds(Pause, since_ms=MS, reading=st.booleans())


@given(made=listings(), marks=MARKS, last=LAST, pause=PAUSE, now_ms=MS)
def test_every_situation_is_judged_and_what_waits_is_never_unexplained(
    made: tuple[Record, Listing], marks: Marks, last: Movement | None, pause: Pause | None, now_ms: int
) -> None:
    record, listing = made
    verdict = judge(record, listing, marks=marks, last=last, pause=pause, run=None, now_ms=now_ms)
    assert verdict.words
    explained = listing.write or listing.hold or pause or marks.dirty_ms is not None or marks.audit_ms is not None
    if explained and not (listing.hold and listing.hold.kind == "parked" and listing.hold.mark != record.revision):
        assert verdict.kind is not Kind.UNEXPLAINED
    if verdict.kind is Kind.UNEXPLAINED:
        assert marks == Marks(None, None)


@given(made=listings(), marks=MARKS, last=LAST, pause=PAUSE, now_ms=MS)
def test_a_listing_that_nothing_keeps_from_being_written_is_not_called_held(
    made: tuple[Record, Listing], marks: Marks, last: Movement | None, pause: Pause | None, now_ms: int
) -> None:
    record, listing = made
    verdict = judge(record, listing, marks=marks, last=last, pause=pause, run=None, now_ms=now_ms)
    if verdict.kind is Kind.HELD:
        assert listing.hold is not None or pause is not None
    if listing.hold and listing.hold.kind in ("missing", "quarantined"):
        assert verdict.kind is Kind.HELD


@given(made=listings(), marks=MARKS, last=LAST, now_ms=MS)
def test_a_write_is_lost_only_where_its_answer_or_its_writer_is(
    made: tuple[Record, Listing], marks: Marks, last: Movement | None, now_ms: int
) -> None:
    record, listing = made
    verdict = judge(record, listing, marks=marks, last=last, pause=None, run=None, now_ms=now_ms)
    write = listing.write
    is_lost = write is not None and (write.phase == "unknown" or (write.phase == "sent" and now_ms > write.lease_ms))
    assert (verdict.kind is Kind.LOST_WRITE) <= is_lost
    assert (verdict.kind is Kind.LAG) <= (write is not None and write.phase == "accepted")


@given(made=listings(), target=st.none() | st.integers(0, 20))
def test_a_listing_differs_where_its_level_or_its_write_does(made: tuple[Record, Listing], target: int | None) -> None:
    _, listing = made
    right = listing.level == target and (listing.write is None or listing.write.target == target)
    assert differs(listing, target) == (target is not None and not right)


def found(town: Town, channel: str = "store") -> list[Drift]:
    context = town.context
    return [row for row in drift.drifts(context, list(context.channels)) if row.channel == channel]


def settled(town: Town, units: int = 10) -> None:
    """All channels show the same, and all is quiet."""
    town.put("A", units)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    for name in ("store", "market"):
        push(town.context, name, Deadline(60))


def sold_at_the_till(town: Town, units: int = 3) -> None:
    town.till.shop.sell("A", units)
    pull(town.context, "till", Deadline(60))


def test_nothing_drifts_where_all_agree(town: Town) -> None:
    settled(town)
    assert found(town) == []


def test_what_is_marked_to_be_written_is_on_its_way(town: Town) -> None:
    settled(town)
    sold_at_the_till(town)
    (row,) = found(town)
    assert (row.kind, row.units, row.level, row.target) == (Kind.ON_ITS_WAY, 3, 10, 7)
    assert row.since_ms is not None
    assert row.since_ms <= town.context.store.now_ms()


def test_a_write_whose_answer_was_lost_is_a_lost_write(town: Town) -> None:
    settled(town)
    sold_at_the_till(town)
    town.store.shop.fates.append(Fate(Result.UNKNOWN, applied=True))
    push(town.context, "store", Deadline(60))
    (row,) = found(town)
    assert row.kind is Kind.LOST_WRITE
    assert row.words == "a write to 7: its answer was lost"


def test_an_accepted_write_that_is_not_shown_is_lag(town: Town) -> None:
    settled(town)
    sold_at_the_till(town)
    town.market.shop.fates.append(Fate(Result.ACCEPTED, applied=False))
    push(town.context, "market", Deadline(60))
    (row,) = found(town, "market")
    assert row.kind is Kind.LAG


def test_a_refused_write_is_held_with_the_channels_words(town: Town) -> None:
    settled(town)
    sold_at_the_till(town)
    town.store.shop.fates.append(Fate(Result.REFUSED, applied=False, words="no such product"))
    push(town.context, "store", Deadline(60))
    (row,) = found(town)
    assert (row.kind, row.words) == (Kind.HELD, "parked: no such product")


def test_a_listing_on_a_paused_channel_is_held_since_then(town: Town) -> None:
    settled(town)
    town.context.pauses.pause("store", town.context.store.now_ms())
    sold_at_the_till(town)
    (row,) = found(town)
    assert (row.kind, row.words) == (Kind.HELD, "paused, not written")


def test_a_listing_whose_channels_first_writes_wait_for_a_person_is_held(town: Town) -> None:
    settled(town)
    sold_at_the_till(town)
    context = town.context
    opened_ms = context.store.now_ms()
    number, _ = context.holds.open(Run.FIRST_CONTACT, "store", opened_ms, words=["1 of 1 would be written"])
    (row,) = found(town)
    assert (row.kind, row.since_ms) == (Kind.HELD, opened_ms)
    assert row.words == f"held run {number} (first contact) waits for a person"
    assert [other.kind for other in found(town, "market")] == [Kind.ON_ITS_WAY]


def test_of_a_held_reading_only_the_listings_that_it_does_not_believe_are_held(town: Town) -> None:
    settled(town)
    town.put("B", 10)
    for name in town.context.channels:
        pull(town.context, name, Deadline(60))
    for sku in "AB":
        town.till.shop.sell(sku, 3)
    pull(town.context, "till", Deadline(60))
    holds, now_ms = town.context.holds, town.context.store.now_ms()
    number, _ = holds.open(Run.READING, "store", now_ms, words=["implausible"])
    holds.doubt(number, [Level("A", "ref-a", 0)])
    assert {row.sku: row.kind for row in found(town)} == {"A": Kind.HELD, "B": Kind.ON_ITS_WAY}


def test_a_listing_that_no_reading_shows_is_held(town: Town) -> None:
    settled(town)
    town.put("B", 1)
    del town.store.shop.units["ref-a"]
    town.till.shop.put("B", 1)
    pull(town.context, "store", Deadline(60))
    sold_at_the_till(town)
    (row,) = [row for row in found(town) if row.sku == "A"]
    assert (row.kind, row.words) == (Kind.HELD, "missing: no full reading shows it any more")


def test_a_level_that_somebody_raised_above_what_the_rules_want_is_their_edit(town: Town) -> None:
    settled(town)
    writes = ((name, channel.capabilities.writes) for name, channel in town.context.channels.items())
    town.context.policy = Policy(writes, [Rule("", "store", (("cap", 12),), "a test")])
    town.store.shop.put("A", 15)
    pull(town.context, "store", Deadline(60))
    (row,) = found(town)
    assert (row.kind, row.units, row.target) == (Kind.EDIT, 3, 12)
    assert row.words == "+5 at the channel: reading of store"
    assert [other.kind for other in found(town, "market")] == [Kind.ON_ITS_WAY]


def test_what_nobody_marked_is_unexplained(town: Town) -> None:
    settled(town)
    sold_at_the_till(town)
    client = town.context.store.client
    for key in list(client.scan_iter("is:*dirty:store")):
        client.delete(key)
    (row,) = found(town)
    assert row.kind is Kind.UNEXPLAINED


def test_a_row_for_programs_has_a_moment_and_no_milliseconds() -> None:
    row = Drift("A", "store", Kind.LAG, 1, 2, 1, 1_790_000_000_000, "words").as_row()
    assert row["since"] == "2026-09-21T14:13:20.000+00:00"
    assert set(row) == {"sku", "channel", "kind", "units", "level", "target", "since", "words"}
