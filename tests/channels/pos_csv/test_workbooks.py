"""Workbooks are read as the CSV file that they could have been saved as."""

from __future__ import annotations

import zipfile
from datetime import datetime
from io import BytesIO
from xml.sax.saxutils import escape

import pytest

from channels.pos_csv import sheet, workbook

from .conftest import Shop

needs_the_package = pytest.mark.skipif(
    not workbook.available(), reason="python-calamine is an extra that is not installed here"
)

_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def xlsx(**sheets: list[list[object]]) -> bytes:
    """A workbook of plain cells."""
    entries, links, types, parts = "", "", "", {}
    for number, (name, rows) in enumerate(sheets.items(), 1):
        entries += f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
        links += f'<Relationship Id="rId{number}" Type="{_LINKS}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        parts[f"xl/worksheets/sheet{number}.xml"] = _sheet(rows)
        types += (
            f'<Override PartName="/xl/worksheets/sheet{number}.xml" '
            'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        )
    parts |= {
        "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_LINKS}"><sheets>{entries}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
        'PartName="/xl/workbook.xml" ContentType='
        f'"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>{types}</Types>',
    }
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return content.getvalue()


def _sheet(rows: list[list[object]]) -> str:
    body = ""
    for row in rows:
        cells = ""
        for cell in row:
            if isinstance(cell, str):
                cells += f'<c t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
            elif isinstance(cell, tuple):  # where it stands, and its number
                cells += '<c r="{}"><v>{}</v></c>'.format(*cell)
            else:
                cells += f"<c><v>{cell}</v></c>"
        body += f"<row>{cells}</row>"
    return f'<worksheet xmlns="{_SHEET}"><sheetData>{body}</sheetData></worksheet>'


@needs_the_package
def test_a_workbook_is_read_with_its_numbers_as_they_look(shop: Shop) -> None:
    rows: list[list[object]] = [
        ["Corner shop"],
        ["sku", "quantity"],
        [8801234567893, 3],
        ["007", "4"],
        ["A", 2.5],
        ["B", 5.0],
    ]
    shop.drop("stock.xlsx", xlsx(Items=rows))
    (page,) = shop.read(pattern="*.xlsx")
    assert {row.sku: row.units for row in page.levels} == {"8801234567893": 3, "007": 4, "B": 5}
    assert [problem.where for problem in page.problems] == ["stock.xlsx:5"]


@needs_the_package
def test_a_sheet_is_chosen_by_its_name(shop: Shop) -> None:
    book = xlsx(Notes=[["hello"]], Items=[["sku", "quantity"], ["A", 3]])
    shop.drop("1.xlsx", book)
    assert shop.levels(pattern="*.xlsx", sheet="Items") == {"A": 3}
    shop.drop("2.xlsx", book + b"\0")
    ((_, reason),) = shop.problems(pattern="*.xlsx", sheet="Stock")
    assert "no sheet Stock" in reason


@needs_the_package
@pytest.mark.parametrize("cut", [100, 600])
def test_a_cut_workbook_is_set_aside(shop: Shop, cut: int) -> None:
    shop.drop("stock.xlsx", xlsx(Items=[["sku", "quantity"], ["A", 3]])[:cut])
    ((where, reason),) = shop.problems(pattern="*.xlsx")
    assert where == "stock.xlsx"
    assert "cannot be opened" in reason


@needs_the_package
def test_a_small_workbook_of_a_gigantic_sheet_is_set_aside_and_ends_no_worker(shop: Shop) -> None:
    shop.drop("stock.xlsx", xlsx(Items=[["sku", "quantity"], ["A", 3], [("XFD1048576", 1)]]))
    ((where, reason),) = shop.problems(pattern="*.xlsx")
    assert where == "stock.xlsx"
    assert "far too large" in reason


@pytest.mark.skipif(workbook.available(), reason="python-calamine is installed here")
def test_without_the_package_a_workbook_is_set_aside_with_what_to_do(shop: Shop) -> None:
    shop.drop("stock.xlsx", xlsx(Items=[["sku", "quantity"], ["A", 3]]))
    ((_, reason),) = shop.problems(pattern="*.xlsx")
    assert "inventory-sync[excel]" in reason


@pytest.mark.parametrize(
    ("cell", "text"),
    [(3.0, "3"), (2.5, "2.5"), (1e16, "1e+16"), ("007", "007"), (True, "True"), ("", "")],
)
def test_a_cell_is_text_as_a_person_would_type_it(cell: sheet.Cell, text: str) -> None:
    assert sheet.text(cell) == text


def test_a_time_in_a_cell_is_written_as_iso() -> None:
    assert sheet.text(datetime(2026, 1, 31, 9, 0)) == "2026-01-31T09:00:00"  # noqa: DTZ001
