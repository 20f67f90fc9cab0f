"""The shared memory that the worker lends to adapters (see :mod:`channels.services`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from sync.storage.store import PREFIX, Store


@dataclass(frozen=True, slots=True)
class StoreMemory:
    """Small values in the store, such as an access token, kept apart for each channel."""

    store: Store
    channel: str

    def get(self, key: str) -> str | None:
        """See :meth:`channels.services.Memory.get`."""
        return cast("str | None", self.store.client.get(self._key(key)))

    def put(self, key: str, value: str, *, ttl_s: float) -> None:
        """See :meth:`channels.services.Memory.put`."""
        self.store.client.set(self._key(key), value, px=max(1, round(ttl_s * 1000)))

    def forget(self, key: str) -> None:
        """See :meth:`channels.services.Memory.forget`."""
        self.store.client.delete(self._key(key))

    def _key(self, key: str) -> str:
        return f"{PREFIX}memory:{self.channel}:{key}"
