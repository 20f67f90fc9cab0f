"""What one cell means: a SKU is opaque text, a quantity is a number of whole units or it is nothing."""

from __future__ import annotations

import re

from channels.pos_csv.settings import PosCsvSettings, fold

#: A number that a spreadsheet has destroyed: its digits are gone for good.
_MANGLED = re.compile(r"[+-]?\d+([.,]\d+)?E\+\d+", re.IGNORECASE | re.ASCII)

#: What no SKU contains: controls and line breaks.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

#: The most of a cell that is repeated in a message.
_SHOWN = 40

#: The longest SKU that is believed to be one.
SKU_LIMIT = 255

#: What nearly all codes are made of. Without a plus sign none is a number that a spreadsheet has destroyed.
_PLAIN = re.compile(rf"[ -*,-~]{{1,{SKU_LIMIT}}}")

#: More digits than any quantity has; longer ones are not even converted.
_DIGITS = 20


class BadCell(Exception):
    """A cell that does not say what it should. The message is for a shopkeeper."""


def sku(text: str) -> str:
    """The SKU in a cell, trimmed; empty where the cell is blank.

    Raises:
        BadCell: it cannot be a SKU.
    """
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return text
    if _CONTROL.search(text):
        raise BadCell(f"the SKU {shown(text)} contains a line break or another invisible sign")
    if len(text) > SKU_LIMIT:
        raise BadCell(f"the SKU {shown(text)} is longer than {SKU_LIMIT} characters")
    if _MANGLED.fullmatch(text):
        raise BadCell(
            f"the SKU {text} was turned into a number by a spreadsheet and its digits are lost; "
            "export again and do not save the file from a spreadsheet"
        )
    return text


def text(cell: str) -> str:
    """A cell that identifies something else than a product, trimmed.

    Raises:
        BadCell: it holds an invisible sign, or is a number that a spreadsheet has destroyed.
    """
    cell = cell.strip()
    if _PLAIN.fullmatch(cell):
        return cell
    if _CONTROL.search(cell):
        raise BadCell(f"{shown(cell)} contains a line break or another invisible sign")
    if _MANGLED.fullmatch(cell):
        raise BadCell(f"{shown(cell)} was turned into a number by a spreadsheet and its digits are lost")
    return cell


class Quantities:
    """How one till writes quantities."""

    def __init__(self, settings: PosCsvSettings) -> None:
        self.settings = settings
        self._no_stock = {fold(word) for word in settings.no_stock_words}
        digits = r"\d+"
        if settings.thousands:
            digits = rf"(?:\d{{1,3}}(?:{re.escape(settings.thousands)}\d{{3}})+|\d+)"
        self._number = re.compile(rf"([+-]?)({digits}|)(?:{re.escape(settings.decimal)}(\d*))?", re.ASCII)
        self._plain_digits = min(9, len(str(settings.max_quantity)) - 1)

    def units(self, text: str) -> int | None:
        """The units in a cell, or ``None`` where it states none.

        Raises:
            BadCell: it is not a number of whole units, or more than is believed.
        """
        if len(text) <= self._plain_digits and text.isascii() and text.isdigit():
            return int(text)
        text = text.strip()
        if not text or (self._no_stock and fold(text) in self._no_stock):
            return None
        found = self._number.fullmatch(text)
        if not found or not (found[2] or found[3]):
            raise BadCell(f"the quantity {shown(text)} is not a number")
        whole = found[2].replace(self.settings.thousands, "") if self.settings.thousands else found[2]
        if len(whole) > _DIGITS:
            raise self._too_large(text)
        units = int(found[1] + (whole or "0"))
        if (found[3] or "").strip("0"):
            if self.settings.fractions == "refuse":
                raise BadCell(f"the quantity {shown(text)} is not a number of whole units")
            units -= found[1] == "-"
        return self.believed(units)

    def believed(self, units: int) -> int:
        """The number itself, or the most that is believed.

        Raises:
            BadCell: it is more than that, so it is something else (a barcode, say).
        """
        limit = self.settings.max_quantity
        if abs(units) <= limit:
            return units
        if self.settings.oversized == "cap" and units > 0:
            return limit
        raise self._too_large(str(units))

    def _too_large(self, text: str) -> BadCell:
        return BadCell(f"the quantity {shown(text)} is larger than {self.settings.max_quantity} and surely wrong")


def shown(text: str) -> str:
    """A cell as messages repeat it: quoted, on one line, cut when long."""
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return repr(text)
