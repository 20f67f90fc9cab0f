"""From a journal's files to pages of levels. When a file was counted and when it was shown are two steps.

Each step is on disk before the next begins, and each may be done again::

    claimed -> counted into the journal -> new SKUs shown at zero -> changed levels shown -> archived
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from channels.contract import Page
from channels.pos_csv import times
from channels.pos_csv.client import Claim
from channels.pos_csv.history import History, Mark
from channels.pos_csv.journal import Journal
from channels.pos_csv.models import Unreadable
from channels.pos_csv.pages import paged, problems, refusal
from channels.pos_csv.reader import read_lines
from channels.pos_csv.settings import PosCsvSettings

logger = logging.getLogger(__name__)

#: What the levels of a journal are said to come from that no single file has changed.
AGAIN = "journal so far"


def shown_again(state: Path) -> Iterator[Page]:
    """All levels of a journal as they were counted so far.

    A journal says each thing once. So what was counted and then not shown, because the worker died or its store was
    lost, is shown before anything is added.
    """
    if Journal.exists(state):
        with Journal.opened(state) as journal:
            yield from paged(chain(journal.unopened(), journal.all()), [], AGAIN)


def of_file(claim: Claim, settings: PosCsvSettings, now: datetime) -> Iterator[Page]:
    """One claimed file from its reading to its archiving.

    Pages carry no time: the order of files does not matter, and late ones are as good as others.
    """
    with Journal.opened(claim.folder.state) as journal:
        yield from _counted(claim, journal, settings, now)


def _counted(claim: Claim, journal: Journal, settings: PosCsvSettings, now: datetime) -> Iterator[Page]:
    name, history = claim.found.name, History(claim.folder.state)
    try:
        lines = read_lines(claim.path, name, settings, journal.spool)
        if history.known(lines.sha256) is not None:
            logger.info("a file repeats what was taken before", extra={"file": name})
            claim.archive(lines.sha256)
            return
        counted = journal.count(
            bad_allowed=settings.bad_allowed(lines.rows) - lines.bad,
            remember=timedelta(days=settings.remember_days) if settings.remember_days else None,
            now=now,
        )
    except Unreadable as error:
        yield refusal(name, error.reason)
        claim.set_aside(error.reason, error.reports)
        return
    logger.info(
        "a file of a journal was counted",
        extra={"file": name, "lines": counted.new, "known_lines": counted.repeated},
    )
    reports = sorted([*lines.reports, *counted.complaints.reports])
    levels = chain(journal.unopened(), journal.changed())
    for page in paged(levels, problems(name, reports), name):
        claim.renew()
        yield page
    claim.renew()
    history.taken(Mark(lines.sha256, name, times.from_ns(claim.found.mtime_ns), stated=False))
    claim.archive(lines.sha256, reports)
