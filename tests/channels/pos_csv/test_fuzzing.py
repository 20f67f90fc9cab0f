"""Whatever lies in the folder, the reader says so or reads what stands there; it never breaks and never invents."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.contract import MAX_UNITS
from channels.pos_csv import PosCsvSettings, cells
from channels.pos_csv.database import nameless
from channels.pos_csv.models import Sheet, Unreadable, key
from channels.pos_csv.profiles import PROFILES
from channels.pos_csv.reader import peek_time, read_lines, read_sheet
from channels.pos_csv.spool import Spool

SAMPLES = [file.read_bytes() for file in sorted((Path(__file__).parent / "samples").glob("*.csv"))]

profiles = st.sampled_from(sorted(PROFILES))
skus = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=20
).filter(lambda sku: sku == sku.strip() and not sku.startswith("\ufeff") and not _mangled(sku))
levels = st.dictionaries(skus, st.integers(-MAX_UNITS, MAX_UNITS), min_size=1, max_size=20).filter(
    lambda table: len({key(sku) for sku in table}) == len(table)
)


def _mangled(sku: str) -> bool:
    try:
        cells.sku(sku)
    except cells.BadCell:
        return True
    return False


@pytest.fixture(scope="module")
def file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "stock.csv"


def read(file: Path, content: bytes, **given: object) -> Sheet | None:
    """The sheet, or ``None`` where the file is refused, as it may be; any other exception fails the test."""
    file.write_bytes(content)
    chosen = PosCsvSettings.model_validate({"type": "pos_csv", "path": file.parent} | given)
    peek_time(file, chosen)
    try:
        return read_sheet(file, file.name, chosen)
    except Unreadable:
        return None


def check(sheet: Sheet | None, content: bytes) -> None:
    """What was read stands in the file, and is no more than it holds."""
    if sheet is None:
        return
    text = content.decode(sheet.encoding).replace('"', "")
    lines = text.replace("\r", "\n").count("\n") + 1
    assert len(sheet.table.skus) == len(sheet.table.units) <= sheet.rows <= lines
    assert len(sheet.reports) <= 4 * lines
    assert len({key(sku) for sku in sheet.table.skus}) == len(sheet.table)
    for sku, units in zip(sheet.table.skus, sheet.table.units, strict=True):
        assert sku.replace('"', "") in text
        assert abs(units) <= MAX_UNITS


@settings(max_examples=300)
@given(content=st.binary(max_size=300), profile=profiles, encoding=st.sampled_from([None, "cp949", "cp932", "utf-16"]))
@example(content=b"sku,quantity\r\n\x00", profile="plain", encoding=None)
@example(content=b"\xef\xbb\xbf", profile="plain", encoding=None)
@example(content=b"\xff\xfe\x00", profile="plain", encoding=None)
@example(content=b"\xff\xfe\x00\x00s", profile="plain", encoding=None)
def test_any_bytes_are_read_or_refused(file: Path, content: bytes, profile: str, encoding: str | None) -> None:
    check(read(file, content, profile=profile, **({"encoding": encoding} if encoding else {})), content)


@settings(max_examples=300)
@given(
    rows=st.lists(st.lists(st.text("aA01.,-+E'\"= \t\r\n\x00éⅧ٣　", max_size=6), max_size=4), max_size=8),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    numbers=st.fixed_dictionaries(
        {},
        optional={
            "thousands": st.sampled_from([",", "'", " "]),
            "fractions": st.just("floor"),
            "oversized": st.just("cap"),
            "max_quantity": st.integers(1, 99),
            "blank": st.just("skip"),
            "total_words": st.just("a"),
        },
    ),
)
def test_any_rows_below_a_right_header_are_read_or_refused(
    file: Path, rows: list[list[str]], quoting: int, numbers: dict[str, object]
) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=quoting).writerows([["sku", "quantity"], *rows])  # type: ignore[arg-type]
    content = text.getvalue().encode()
    check(read(file, content, **numbers), content)


@settings(max_examples=300)
@given(
    sample=st.sampled_from(SAMPLES),
    profile=profiles,
    cuts=st.lists(st.tuples(st.integers(0, 2_000), st.integers(0, 30), st.binary(max_size=8)), max_size=4),
)
def test_a_damaged_export_is_read_or_refused(
    file: Path, sample: bytes, profile: str, cuts: list[tuple[int, int, bytes]]
) -> None:
    for start, length, instead in cuts:
        sample = sample[:start] + instead + sample[start + length :]
    check(read(file, sample, profile=profile), sample)


@settings(max_examples=200)
@given(
    table=levels,
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_a_good_file_is_read_as_it_was_written(
    file: Path, table: dict[str, int], delimiter: str, encoding: str, newline: str, quoting: int
) -> None:
    text = io.StringIO()
    rows = csv.writer(text, delimiter=delimiter, lineterminator=newline, quoting=quoting)  # type: ignore[arg-type]
    rows.writerow(["sku", "quantity"])
    rows.writerows(table.items())
    sheet = read(file, text.getvalue().encode(encoding))
    assert sheet is not None
    assert dict(zip(sheet.table.skus, sheet.table.units, strict=True)) == table
    assert sheet.reports == []


@settings(max_examples=500)
@given(text=st.text("0123456789.,'-+Ee _٣²½", max_size=25))
def test_a_quantity_is_what_its_digits_say_or_refused(text: str) -> None:
    quantities = cells.Quantities(PosCsvSettings(type="pos_csv", path=Path("pos")))
    try:
        units = quantities.units(text)
    except cells.BadCell:
        return
    if units is None:
        assert not text.strip()
    else:
        assert text.isascii()
        assert units == float(text)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.one_of(st.text("aA01-+ \x00\x1fé", max_size=3), st.just("2026-01-31T09:00:00")), max_size=5),
        max_size=12,
    ),
    parts=st.sampled_from([["id"], ["id", "at"]]),
    at=st.fixed_dictionaries({}, optional={"time_column": st.just("at"), "blank": st.just("skip")}),
)
def test_no_line_of_a_journal_is_counted_that_does_not_stand_there_or_stands_there_differently(
    file: Path, rows: list[list[str]], parts: list[str], at: dict[str, object]
) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["id", "sku", "quantity", "type", "at"], *rows])
    file.write_text(text.getvalue(), encoding="utf-8", newline="")
    given = {"kind": "journal", "id_column": parts, "type_column": "type", "movements": {"a": "sold", "0": "change"}}
    chosen = PosCsvSettings.model_validate({"type": "pos_csv", "path": file.parent, "bad_rows": 99} | given | at)
    with nameless("the spool") as db:
        spool = Spool(db)
        try:
            lines = read_lines(file, file.name, chosen, spool)
        except Unreadable:
            return
        counted = spool.first(99)
    assert len(counted) == lines.lines <= lines.rows <= len(rows)
    signs = {"a": -1, "A": -1, "0": 1}
    told = {
        (sku.strip(), signs.get(kind.strip(), 0) * int(number.strip()))
        for _, sku, number, kind, _ in (row for row in rows if len(row) == 5)
        if re.fullmatch(r"[+-]?\d+", number.strip(), re.ASCII)
    }
    assert told >= set(counted)
    ids = {tuple(row[0:1] if parts == ["id"] else (row[0], row[4])) for row in rows if len(row) == 5}
    assert len(counted) <= len(ids)
