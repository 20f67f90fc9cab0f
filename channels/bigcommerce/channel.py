"""The BigCommerce channel: one store, kept by the contract."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from channels.bigcommerce.catalog import CatalogStock
from channels.bigcommerce.client import BigCommerceClient
from channels.bigcommerce.diagnosis import diagnose
from channels.bigcommerce.hooks import ensure
from channels.bigcommerce.inventory import InventoryStock
from channels.bigcommerce.models import Ref, level_of
from channels.bigcommerce.orders import Orders
from channels.bigcommerce.settings import BigCommerceSettings
from channels.bigcommerce.webhooks import parse, receive
from channels.contract import MAX_UNITS, Capabilities, Channel, ChannelSettings, Outcome, Page, Result, Sale, Write
from channels.diagnosis import Finding
from channels.webhooks import Ensured, Event

#: Seconds for which a catalogue write without an answer may still be on its way. The catalogue answers when it has
#: written; what takes longer than this was never begun.
VISIBLE_WITHIN_S = 30.0


@dataclass(slots=True)
class BigCommerceChannel(Channel):
    """A BigCommerce store.

    Levels are read and written by the catalogue (``write = "catalog"``) or by the Inventory API (``inventory``
    and ``relative``); what orders took is read from the V2 orders in either case.
    """

    Settings: ClassVar[type[ChannelSettings]] = BigCommerceSettings

    settings: BigCommerceSettings
    client: BigCommerceClient = field(init=False, repr=False)
    _stock: CatalogStock | InventoryStock = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.client = BigCommerceClient(self.name, self.settings, budget=self.services.budget)
        if self.settings.write == "catalog":
            self._stock = CatalogStock(self.client)
        else:
            relative = self.settings.write == "relative"
            self._stock = InventoryStock(self.client, self.settings.location_id, relative=relative)

    @property
    def capabilities(self) -> Capabilities:
        """See :class:`Capabilities`."""
        return Capabilities(
            writes=True,
            relative=self.settings.write == "relative",
            write_batch=self._stock.write_batch,
            read_batch=self._stock.read_batch,
            full_every_s=self.settings.full_every_s,
            settle_s=self._stock.settle_s if self.settings.settle_s is None else self.settings.settle_s,
            # an adjustment that was taken is applied in the background; a catalogue answer that shows another
            # level than the one sent may be of a sale, or of a write that was laid over by another
            visible_within_s=VISIBLE_WITHIN_S,
            accepted_is_applied=self.settings.write != "catalog",
            orders=True,
            webhooks=self.settings.client_secret is not None,
            hooks=self.settings.webhook_url is not None,
        )

    def read_all(self, cursor: str | None = None) -> Iterator[Page]:
        """See :meth:`Channel.read_all`."""
        return self._stock.read_all(cursor)

    def split(self, cursor: str, parts: int) -> Sequence[str]:
        """See :meth:`Channel.split`."""
        return self._stock.split(cursor, parts)

    def changed(self, since: datetime) -> Iterator[Page]:
        """See :meth:`Channel.changed`. Whether a change of stock counts as one of its product is not documented."""
        return self._stock.changed(since)

    def read(self, refs: Sequence[str]) -> Page:
        """See :meth:`Channel.read`."""
        return self._stock.read(refs)

    def write(self, writes: Sequence[Write], *, until: float = math.inf) -> list[Outcome]:
        """See :meth:`Channel.write`. What the store cannot take is refused here and costs no call."""
        refused = {write.ref: outcome for write in writes if (outcome := _unwritable(write))}
        good = [write for write in writes if write.ref not in refused]
        outcomes = iter(self._stock.write(good, until) if good else ())
        return [refused.get(write.ref) or next(outcomes) for write in writes]

    def sales(self, since: datetime) -> Iterator[Sale]:
        """See :meth:`Channel.sales`."""
        return Orders(self.client).sales(since)

    def receive(self, headers: Mapping[str, str], body: bytes, *, now: float) -> Event:
        """See :meth:`Channel.receive`."""
        return receive(self.settings, headers, body, now=now)

    def understand(self, body: bytes) -> Event:
        """See :meth:`Channel.understand`."""
        return parse(self.settings, body)

    def event_refs(self, ref: str) -> tuple[str, ...]:
        """See :meth:`Channel.event_refs`. Each change of a variant is told of its product as well."""
        return tuple(dict.fromkeys((ref, str(Ref.product_of(ref)))))

    def ensure_hooks(self) -> Ensured:
        """See :meth:`Channel.ensure_hooks`. Without a ``webhook_url`` ours are taken away."""
        return ensure(self.client, self.name, self.settings)

    def diagnose(self) -> Iterator[Finding]:
        """See :meth:`Channel.diagnose`."""
        return diagnose(self.client, self.name, self.settings, self.capabilities)

    def close(self) -> None:
        """See :meth:`Channel.close`."""
        self.client.close()


def _unwritable(write: Write) -> Outcome | None:
    if Ref.parse(write.ref) is None:
        return Outcome(write.ref, Result.REFUSED, reason=f"{write.ref!r} names no product and no variant")
    if level_of(write.units) is None:
        return Outcome(write.ref, Result.REFUSED, reason=f"{write.units} is not a level from 0 to {MAX_UNITS}")
    return None
