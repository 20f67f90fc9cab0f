"""Lists that may be long: aligned block by block as the rows come, at a fraction of what a table costs."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

import click
from rich.cells import cell_len

from sync.legible import shown

#: How many rows are measured and printed together.
BLOCK = 500

#: What stands between two columns.
GAP = "  "


class Styled(NamedTuple):
    """A cell in a colour of :func:`click.style`; empty: in none."""

    text: str
    colour: str


Cell = str | Styled


def in_colour(cells: Iterable[str], colour: str) -> list[Cell]:
    """A whole row in one colour."""
    return [Styled(cell, colour) for cell in cells]


def print_list(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, right: Collection[str] = ()) -> int:
    """Print rows under these columns, those of ``right`` flush right. Gives how many there were.

    Colour only on a terminal; text from outside cannot act on it. Nothing is cut: a terminal breaks what is too long.
    """
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    to_right = [column in right for column in columns]
    left, count = iter(rows), 0
    while block := list(islice(left, BLOCK)):
        count += len(block)
        texts = [[shown(cell if isinstance(cell, str) else cell.text) for cell in row] for row in block]
        widths = [max(map(cell_len, column)) for column in zip(columns, *texts, strict=True)]
        lines = [_line(columns, widths, to_right, ["bold"] * len(columns) if coloured else ())]
        for row, text in zip(block, texts, strict=True):
            colours = ["" if isinstance(cell, str) else cell.colour for cell in row] if coloured else ()
            lines.append(_line(text, widths, to_right, colours))
        sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    return count


def _line(texts: Sequence[str], widths: Sequence[int], to_right: Sequence[bool], colours: Sequence[str]) -> str:
    cells = []
    for place, (text, width) in enumerate(zip(texts, widths, strict=True)):
        space = " " * (width - cell_len(text))
        if colours and colours[place]:
            text = click.style(text, bold=True) if colours[place] == "bold" else click.style(text, fg=colours[place])
        cells.append(space + text if to_right[place] else text + space)
    return GAP.join(cells).rstrip()
