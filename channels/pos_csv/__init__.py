"""Tills and back offices that export their stock as CSV files into a folder."""

from __future__ import annotations

from channels.pos_csv.channel import PosCsvChannel
from channels.pos_csv.inspection import Inspection, inspect
from channels.pos_csv.settings import PosCsvSettings

__all__ = ["Inspection", "PosCsvChannel", "PosCsvSettings", "inspect"]
