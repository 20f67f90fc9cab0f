"""Cutting what was read into pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice, zip_longest
from typing import TypeVar

from channels.contract import Document, Level, Page, Problem
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
    levels: Iterable[Sequence[Level]],
    told: Sequence[Problem],
    source: str,
    as_of: datetime | None = None,
    *,
    document: Document | None = None,
) -> Iterator[Page]:
    """Pages of levels that come in pages' lengths, with the problems spread over them; those of a file, if of one.

    A file has a page, and so a last one, even if nothing of it is given out.
    """
    parts = zip_longest(levels, batched(told), fillvalue=())
    part = next(parts, ((), ()) if document else None)
    while part is not None:
        rows, problems_there = part
        part = next(parts, None)
        of = document._replace(last=part is None) if document else None
        yield Page(rows, problems_there, as_of=as_of, source=source, document=of)


def refusal(name: str, reason: str, as_of: datetime | None = None) -> Page:
    """The page that tells of a file which is set aside."""
    document = Document(name, last=True, refused=reason)
    return Page((), [Problem(name, reason)], as_of=as_of, source=name, document=document)
