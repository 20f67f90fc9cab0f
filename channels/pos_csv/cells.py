"""What one cell means: a SKU is opaque text, a quantity is a whole number or it is nothing."""

from __future__ import annotations

import re

from channels.contract import MAX_UNITS

#: A number that a spreadsheet has destroyed: its digits are gone for good.
_MANGLED = re.compile(r"[+-]?\d+([.,]\d+)?E\+\d+", re.IGNORECASE | re.ASCII)

_WHOLE = re.compile(r"[+-]?\d+(\.0*)?", re.ASCII)

_FRACTION = re.compile(r"[+-]?\d*\.\d+", re.ASCII)

#: What no SKU contains: controls and line breaks.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

#: The most of a cell that is repeated in a message.
_SHOWN = 40

#: The longest SKU that is believed to be one.
SKU_LIMIT = 255


class BadCell(Exception):
    """A cell that does not say what it should. The message is for a shopkeeper."""


def sku(text: str) -> str:
    """The SKU in a cell, trimmed; empty where the cell is blank.

    Raises:
        BadCell: it cannot be a SKU.
    """
    text = text.strip()
    if text.isascii() and text.isalnum() and len(text) <= SKU_LIMIT:
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


def units(text: str) -> int | None:
    """The units in a cell, or ``None`` where it is blank.

    Raises:
        BadCell: it is not a whole number, or more than any shop holds.
    """
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    text = text.strip()
    if not text:
        return None
    if _WHOLE.fullmatch(text):
        number = text.split(".")[0]
        if len(number) > 20:
            raise BadCell(f"the quantity {shown(text)} is larger than {MAX_UNITS} and surely wrong")
        return within_limit(int(number))
    if _FRACTION.fullmatch(text):
        raise BadCell(f"the quantity {shown(text)} is not a whole number of units")
    raise BadCell(f"the quantity {shown(text)} is not a number")


def within_limit(number: int) -> int:
    """The number itself.

    Raises:
        BadCell: it is more than any shop holds, so it is something else (a barcode, say).
    """
    if abs(number) > MAX_UNITS:
        raise BadCell(f"the quantity {number} is larger than {MAX_UNITS} and surely wrong")
    return number


def shown(text: str) -> str:
    """A cell as messages repeat it: quoted, on one line, cut when long."""
    text = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    return repr(text)
