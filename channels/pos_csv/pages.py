"""Cutting what was read into pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice, zip_longest
from typing import TypeVar

from channels.contract import Level, Page, Problem
from channels.pos_csv.models import RowReport

#: Levels on one page.
PAGE_ROWS = 1_000

_T = TypeVar("_T")


def batched(items: Iterable[_T]) -> Iterator[list[_T]]:
    """Items in lists of a page's length."""
    rest = iter(items)
    while page := list(islice(rest, PAGE_ROWS)):
        yield page


def problems(name: str, reports: Iterable[RowReport]) -> list[Problem]:
    """The reports of a file's rows as people are told them."""
    return [Problem(f"{name}:{report.line}", report.reason) for report in reports]


def paged(
    levels: Iterable[Sequence[Level]], told: Sequence[Problem], source: str, as_of: datetime | None = None
) -> Iterator[Page]:
    """Pages of levels that come in pages' lengths, with the problems spread over them."""
    for rows, problems_there in zip_longest(levels, batched(told), fillvalue=()):
        yield Page(rows, problems_there, as_of=as_of, source=source)
