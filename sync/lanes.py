"""The pages of a full reading, several at once: one request after the other leaves most of a store's quota unused.

A reading begins in one lane. Once it has come :data:`FAR` pages, the channel is asked to part what is left
(:meth:`channels.Channel.split`); each part is read in a thread of its own. Within a lane the next page is asked for
only once the one before has been applied, as the contract has it, so that no more pages than lanes are in memory and
each page's window is that of its own request (rule 3). The shared budget decides how many of them go out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import NamedTuple

from channels import Channel, Page
from sync.context import Context
from sync.legible import with_skus_fit
from sync.stock.ledger import Window

#: How many pages a reading has before it is parted; small stores are spared the call that it costs.
FAR = 20

#: How many pages are read at once.
LANES = 4


class Read(NamedTuple):
    """A page and when it was read."""

    page: Page
    window: Window
    #: From where the reading goes on once this page is applied; empty where it cannot, or has ended.
    cursors: tuple[str, ...] = ()


def timed(context: Context, name: str, pages: Iterator[Page]) -> Iterator[Read]:
    """Pages in our SKUs, with when each was read by the store's clock; a page's own time where it has one.

    Rows whose SKU cannot be one are problems.
    """
    while True:
        began_ms = context.store.now_ms()
        page = next(pages, None)
        if page is None:
            return
        yield _read(context, name, page, began_ms)


def read_some(context: Context, channel: Channel, refs: Sequence[str]) -> Read:
    """One reading of single listings, timed like a page.

    Raises:
        channels.errors.ChannelError: the channel could not be read.
    """
    began_ms = context.store.now_ms()
    return _read(context, channel.name, channel.read(refs), began_ms)


def _read(context: Context, name: str, page: Page, began_ms: int) -> Read:
    page = with_skus_fit(context.aliases.translated(name, page))
    cursors = (page.cursor,) if page.cursor is not None else ()
    if page.as_of is not None:
        as_of_ms = round(page.as_of.timestamp() * 1000)
        return Read(page, Window(as_of_ms, as_of_ms), cursors)
    return Read(page, Window(began_ms, context.store.now_ms()), cursors)


def read_all(context: Context, channel: Channel, cursors: Sequence[str]) -> Iterator[Read]:
    """Every page of a full reading, from its beginning or from where it stopped.

    Raises:
        channels.errors.ChannelError: the channel could not be read.
    """
    if len(cursors) <= 1:
        start = cursors[0] if cursors else None
        for count, read in enumerate(timed(context, channel.name, channel.read_all(start)), 1):
            yield read
            if count == FAR and read.cursors:
                cursors = channel.split(read.cursors[0], LANES)
                if len(cursors) > 1:
                    break
        else:
            return
    yield from _at_once(context, channel, cursors)


def _at_once(context: Context, channel: Channel, cursors: Sequence[str]) -> Iterator[Read]:
    lanes = {place: timed(context, channel.name, channel.read_all(cursor)) for place, cursor in enumerate(cursors)}
    ahead = dict(enumerate(cursors))
    with ThreadPoolExecutor(len(lanes), thread_name_prefix="lane") as pool:

        def ask(place: int) -> Future[Read | None]:
            return pool.submit(copy_context().run, lambda: next(lanes[place], None))

        asked = {ask(place): place for place in lanes}
        while asked:
            for future in wait(asked, return_when=FIRST_COMPLETED).done:
                place = asked.pop(future)
                read = future.result()
                if read is None:
                    ahead.pop(place, None)
                    continue
                if read.cursors:
                    ahead[place] = read.cursors[0]
                else:
                    ahead.pop(place, None)
                yield read._replace(cursors=tuple(ahead.values()))
                asked[ask(place)] = place
