"""How the till spells its SKUs. Others may write the same SKU in other case, which the till would not find."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from channels.pos_csv.models import key
from channels.pos_csv.state import load, save


class Spellings:
    """The till's own spelling of every SKU that it ever counted, by the compared SKU."""

    def __init__(self, state: Path) -> None:
        self._path = state / "spellings.json"

    def all(self) -> Mapping[str, str]:
        """The spellings that differ from the compared SKU."""
        return load(self._path) or {}

    def learn(self, skus: Iterable[str]) -> None:
        """Remember the spellings of a snapshot."""
        known = dict(self.all())
        seen = {folded: sku for sku in skus if (folded := key(sku)) != sku or folded in known}
        if any(known.get(folded) != sku for folded, sku in seen.items()):
            save(self._path, known | seen)
