"""Rule 13: a full reading that was cut short goes on where it stopped, or begins anew where it cannot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from channels import Page
from channels.errors import ChannelError, Rejected
from sync.deadline import Deadline
from sync.pull import pull
from sync.readings import Pulls
from tests.conftest import MemorySettings, Town, unreachable


@pytest.fixture
def cut_short(town: Town) -> Town:
    """Six listings in pages of two; the store is no longer reached after the first page."""
    for sku in "ABCDEF":
        town.put(sku, 10)
    pages = []

    def page() -> None:
        pages.append(1)
        if len(pages) == 2:
            town.store.shop.before_page = lambda: None
            raise unreachable()

    town.store.shop.before_page = page
    with pytest.raises(ChannelError):
        pull(town.context, "store", Deadline(60))
    assert Pulls(town.context.store).state("store").cursor == "2"
    return town


def read_from(town: Town) -> list[str | None]:
    """Notes from where the store is read."""
    asked: list[str | None] = []
    read_all = town.store.read_all

    def noted(cursor: str | None = None) -> Iterator[Page]:
        asked.append(cursor)
        return read_all(cursor)

    town.store.read_all = noted  # type: ignore[method-assign]
    return asked


def listings(town: Town) -> int:
    return town.context.ledger.listings("store")


def test_it_goes_on_where_it_stopped(cut_short: Town) -> None:
    asked = read_from(cut_short)
    assert pull(cut_short.context, "store", Deadline(60))

    assert asked == ["2"]
    assert listings(cut_short) == 6


@pytest.mark.parametrize("stale", [Rejected("store", "read", "the page token has expired"), ValueError("7-9")])
def test_it_begins_anew_once_the_channel_does_not_know_the_place(cut_short: Town, stale: Exception) -> None:
    asked = read_from(cut_short)

    def first_page() -> None:
        cut_short.store.shop.before_page = lambda: None
        raise stale

    cut_short.store.shop.before_page = first_page
    with pytest.raises(type(stale)):
        pull(cut_short.context, "store", Deadline(60))
    assert pull(cut_short.context, "store", Deadline(60))

    assert asked == ["2", None]
    assert listings(cut_short) == 6


def test_it_goes_on_after_trouble_that_passes(cut_short: Town) -> None:
    asked = read_from(cut_short)
    cut_short.store.shop.trouble = unreachable()
    with pytest.raises(ChannelError):
        pull(cut_short.context, "store", Deadline(60))
    cut_short.store.shop.trouble = None
    assert pull(cut_short.context, "store", Deadline(60))

    assert asked == ["2", "2"]


def test_it_begins_anew_when_the_channel_is_set_otherwise_meanwhile(cut_short: Town) -> None:
    """A place in one way of reading is another place, or none, in another."""
    cut_short.store.settings = MemorySettings(reserve=0.5)
    asked = read_from(cut_short)
    assert pull(cut_short.context, "store", Deadline(60))

    assert asked == [None]
    assert listings(cut_short) == 6


def test_a_wish_from_before_the_clock_was_set_back_is_answered_by_one_reading(town: Town) -> None:
    clock, pulls = town.context.store.clock, Pulls(town.context.store)  # type: ignore[attr-defined]
    town.put("A", 10)
    pulls.want("store", clock())
    clock.advance(-3600)
    pull(town.context, "store", Deadline(60))

    assert not pulls.state("store").waited_for
