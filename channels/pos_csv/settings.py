"""The settings of a till's folder: what its files look like, how they are taken, and what the till is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BeforeValidator, Field, field_validator, model_validator

from channels.contract import MAX_UNITS
from channels.pos_csv.places import PlaceSettings
from channels.pos_csv.profiles import PROFILES

#: One header name, or a list of them.
Names = Annotated[tuple[str, ...], BeforeValidator(lambda given: (given,) if isinstance(given, str) else given)]

#: What the quantity of a journal's line does to the stock. ``out`` and ``in``: it is taken away or added, and never
#: below zero; ``sold``: it is taken away, and added where it is below zero; ``change``: it is added as it stands;
#: ``skip``: nothing.
Movement = Literal["out", "in", "sold", "change", "skip"]

#: The words of a journal that are known without being set.
MOVEMENTS: Mapping[str, Movement] = {"sale": "out", "return": "in", "receipt": "in"}

#: Seconds by which a snapshot must be younger than the taking of an adjustment before it counts as showing it,
#: where the file states the moment of its count. Covers coarse and rounded clocks.
STATED_SLACK_S = 1.0

#: The same where only the file's modification time is known: a till counts first and writes then, so this also
#: covers the longest time that an export may take.
FILE_SLACK_S = 60.0


class PosCsvSettings(PlaceSettings):
    """One till's folder. The defaults read ``sku,quantity`` with whole numbers."""

    profile: str = "plain"
    """Which ready settings the file follows, of :mod:`channels.pos_csv.profiles`; keys set beside it win."""

    kind: Literal["snapshot", "journal"] = "snapshot"
    """What the files hold: counts of what is there, or a journal of movements (sales, returns, receipts), each line
    counted once by its own id."""

    sku_column: Names = Field(("sku",), min_length=1)
    """The column of the SKU; of several, the first that is not blank in a row."""

    quantity_column: Names = Field(("quantity",), min_length=1)
    """The column of the units available to sell; several are added up. A ``*`` stands for any text, such as the
    location in ``In stock [*]``."""

    location_column: str | None = None
    """The column of the location, where each location has a row of its own; their quantities are added up."""

    locations: Names = ()
    """The locations whose stock counts, as ``location_column`` or the ``*`` of ``quantity_column`` has them; unset:
    all of them."""

    columns: tuple[str, ...] = ()
    """The names of the columns from left to right, for a file that has no header line."""

    header_rows: int = Field(20, ge=1, le=1000)
    """How many lines from the top are searched for the header; what stands above it is skipped."""

    sheet: str | None = None
    """Which sheet of a workbook is read; unset: the first."""

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """What separates columns; unset: whichever of comma, semicolon, tab and bar yields the expected header."""

    encoding: str | None = None
    """How a file is encoded that has no byte order mark and is not UTF-8, such as cp1252, cp949 or cp932."""

    decimal: Literal[".", ","] = "."
    """The sign before the decimals of a quantity."""

    thousands: Literal["", ",", ".", " ", "'"] = ""
    """The sign between groups of three digits of a quantity; unset: there is none."""

    fractions: Literal["refuse", "floor"] = "refuse"
    """What a quantity such as 2.5 means: a mistake, or the whole units in it (2)."""

    max_quantity: int = Field(MAX_UNITS, ge=1, le=MAX_UNITS)
    """The most units of one SKU that are believed."""

    oversized: Literal["refuse", "cap"] = "refuse"
    """What more than ``max_quantity`` means: a mistake (a barcode in the wrong column), or just plenty."""

    blank: Literal["report", "skip"] = "report"
    """What a blank quantity means: report it, or skip it as a product whose stock is not counted. Never zero."""

    blank_sku: Literal["report", "skip"] = "report"
    """What a row without a SKU means: report it as unreadable, or skip it as something that is sold nowhere else."""

    no_stock_words: Names = ()
    """Words in place of a quantity that say that no stock is counted there, such as ``not stocked``. Never zero."""

    total_words: Names = ()
    """Words at the beginning of a row that make it a sum of others, such as ``Total``; such rows are skipped."""

    skip_rows: Mapping[str, Names] = Field(default_factory=dict)
    """Rows that are no products: column names with the words that tell; ``*`` is any text, an empty word a blank."""

    header_record: str | None = Field(None, min_length=1)
    """The first cell of a record about the file itself, which stands above the rows."""

    trailer_record: str | None = Field(None, min_length=1)
    """The first cell of the record that ends the file; a file without it was cut."""

    trailer_count: int | None = Field(None, ge=2)
    """In which column, from 1, the trailer states the number of rows; a file with another number was cut."""

    bad_rows: int = Field(10, ge=0)
    """So many unreadable rows never stop a file."""

    bad_rows_share: float = Field(0.05, ge=0, le=1)
    """Beyond ``bad_rows``: the share of unreadable rows above which the whole file is set aside."""

    time_from: Literal["auto", "name", "header", "column", "file"] = "auto"
    """Where the moment of the count stands: in the file's name, the header record, a column (the oldest in it), or
    nowhere, so that the file's modification time must do. auto: a time like 20260131T235900Z in the name, or one in
    the form of ``time_format`` if that is set; else the modification time."""

    time_format: str | None = None
    """The form of that moment, such as ``%Y%m%d-%H%M%S``; unset: ISO 8601."""

    time_column: str | None = None
    """The column of the moment of the count, for ``time_from = "column"``; of a journal: of the moment of each line."""

    header_time: int | None = Field(None, ge=2)
    """In which column, from 1, the header record states the moment of the count, for ``time_from = "header"``."""

    timezone: str = "UTC"
    """The time zone of a stated time that names none, such as Asia/Seoul."""

    id_column: Names = ()
    """Of a journal: the column of a line's id, unique for ever; of several, all together (receipt and line number)."""

    type_column: str | None = None
    """Of a journal: the column that says what kind of movement a line is."""

    movements: Mapping[str, Movement] = Field(default_factory=lambda: dict(MOVEMENTS))
    """Of a journal: what the words in ``type_column`` mean for the stock: out, in, sold (out; below zero: in), change
    (added as it stands) or skip. A line with any other word is reported."""

    movement: Movement | None = None
    """Of a journal without ``type_column``: what each quantity means, in the words of ``movements``."""

    lines_from: AwareDatetime | None = None
    """Of a journal: lines before this moment are not counted; set it to when the stock was first counted elsewhere."""

    remember_days: int | None = Field(None, ge=1)
    """Of a journal: after how many days the id of a line is forgotten; older lines are then not counted any more.
    Unset: never."""

    repeats: Literal["once", "newer"] | None = None
    """What a content that was already taken means when it comes again under a newer modification time: nothing new
    (once) or stock that is back to these numbers (newer); unset: once, or newer for a till that is written to."""

    writes: bool = False
    """Whether the till is told of sales elsewhere, by files of adjustments in ``out/``."""

    acknowledge: Literal["moved", "removed"] = "moved"
    """What the till does with an adjustment file once it has booked it: moves it to ``out/done/``, or removes it."""

    adjustment_columns: tuple[str, str] = ("sku", "adjustment")
    """The header of an adjustment file: the SKU, and the units to add (negative: to take away)."""

    slack_s: float | None = Field(None, ge=0)
    """How much later than the taking of an adjustment a snapshot must have been counted to count as showing it;
    unset: 1 s where the file states its time, 60 s where it does not. At least as long as the clocks differ."""

    taken_within_s: float = Field(86_400.0, gt=0)
    """For how long an adjustment file may wait for the till before its writes count as lost."""

    @field_validator("encoding", mode="after")
    @classmethod
    def _known_encoding(cls, encoding: str | None) -> str | None:
        if encoding is not None:
            try:
                "0".encode(encoding)
            except (LookupError, ValueError):
                raise ValueError("no such encoding; usual ones are cp1252, cp949, cp932 and utf-8") from None
        return encoding

    @field_validator("timezone", mode="after")
    @classmethod
    def _known_timezone(cls, timezone: str) -> str:
        try:
            ZoneInfo(timezone)
        except (LookupError, ValueError, OSError):
            raise ValueError("no such time zone; name one like Europe/Berlin or Asia/Seoul") from None
        return timezone

    @model_validator(mode="before")
    @classmethod
    def _follow_profile(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        name = given.get("profile", "plain")
        if name not in PROFILES:
            raise ValueError(f"there is no profile {name!r}; there are: {', '.join(PROFILES)}")
        return {**PROFILES[name], **given}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if {fold(name) for name in self.sku_column} & {fold(name) for name in self.quantity_column}:
            raise ValueError("sku_column and quantity_column must name different columns")
        if self.decimal == self.thousands:
            raise ValueError("decimal and thousands must be different signs")
        needs = {
            "name": ("time_format", self.time_format),
            "column": ("time_column", self.time_column),
            "header": ("header_record and header_time", self.header_record and self.header_time),
        }
        key, value = needs.get(self.time_from, ("", True))
        if not value:
            raise ValueError(f'time_from = "{self.time_from}" needs {key}')
        if self.trailer_count and not self.trailer_record:
            raise ValueError("trailer_count needs trailer_record")
        if self.locations and not (self.location_column or any("*" in name for name in self.quantity_column)):
            raise ValueError("locations needs location_column, or a * in quantity_column")
        if self.writes and self.is_fetched:
            raise ValueError(
                "adjustments are only written into a folder that the till itself reads; writes must be false"
            )
        if self.kind == "journal":
            self._consistent_journal()
        elif self.id_column or self.type_column or self.movement or self.lines_from or self.remember_days:
            raise ValueError(
                'id_column, type_column, movement, lines_from and remember_days are for kind = "journal" only'
            )
        return self

    def _consistent_journal(self) -> None:
        if not self.id_column:
            raise ValueError("a journal needs id_column, or a line could be counted twice")
        if (self.type_column is None) == (self.movement is None):
            raise ValueError("a journal needs type_column, or else movement")
        if (self.lines_from or self.remember_days) and not self.time_column:
            raise ValueError("lines_from and remember_days need time_column")
        if self.time_from in ("header", "column"):
            raise ValueError("the files of a journal have no time of a count; leave time_from out")
        if self.writes:
            raise ValueError("a journal never shows what the till was told, so writes must be false")

    @property
    def knows_counts(self) -> bool:
        """See :attr:`ChannelSettings.knows_counts`."""
        return self.kind != "journal"

    @property
    def takes_repeats(self) -> bool:
        """Whether a known content under a newer modification time is a new snapshot."""
        return self.repeats == "newer" or (self.repeats is None and self.writes)

    def bad_allowed(self, rows: int) -> int:
        """How many unreadable rows do not stop a file of so many rows."""
        return max(self.bad_rows, int(self.bad_rows_share * rows))

    def slack(self, *, stated: bool) -> float:
        """Seconds by which a snapshot must be younger than the taking of an adjustment to count as showing it."""
        if self.slack_s is not None:
            return self.slack_s
        return STATED_SLACK_S if stated else FILE_SLACK_S


def fold(name: str) -> str:
    """A header name or SKU as it is compared: trimmed, single blanks, whatever the case."""
    return " ".join(name.split()).casefold()
