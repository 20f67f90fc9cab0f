"""The model till: it is read by files that may be hours old, and never written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from channels import Document, Level, Page
from tests.simulator.channels import ModelChannel


@dataclass(slots=True, kw_only=True)
class TillChannel(ModelChannel):
    """Files are taken oldest first, and archived once the worker comes for the next one."""

    def read_all(self, cursor: str | None = None) -> Iterator[Page]:
        """Every file that has arrived, each true at the moment it was written."""
        engine = self.world.engine
        while True:
            engine.boundary(0)
            if not self.place.files:
                return
            file = min(self.place.files, key=lambda file: file[0])
            as_of_ms, counts = file
            rows = [Level(sku, self.place.shelves[sku].ref, units) for sku, units in counts.items()]
            self._tell(f"gives its file of {(as_of_ms - engine.start_ms) / 1000:.3f}: {counts}")
            engine.boundary(0)
            name, as_of = f"stock-{as_of_ms}.csv", datetime.fromtimestamp(as_of_ms / 1000, UTC)
            yield Page(rows, as_of=as_of, source=name, document=Document(name, len(rows), last=True))
            engine.boundary(0)
            if file in self.place.files:
                self.place.files.remove(file)
