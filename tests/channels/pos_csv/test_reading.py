"""A file is read whole or not at all; a bad row stops only itself; a number is never guessed."""

from __future__ import annotations

import csv

import pytest

from channels.contract import MAX_UNITS

from .conftest import Shop


def refused(shop: Shop, content: str | bytes, **settings: object) -> str:
    """The reason for which a file is set aside; it must not give a single level."""
    shop.drop("stock.csv", content)
    (page,) = shop.read(**settings)
    assert page.levels == ()
    (problem,) = page.problems
    assert problem.where == "stock.csv"
    assert shop.files("processed") == []
    return problem.reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n\n  \n", "only blank lines"),
        (b"sku,quantity\n", "a header but no rows"),
        (b"sku,quantity\n\n\n", "a header but no rows"),
        (b"code,count\nA,3\n", "lacks a column 'sku' and a column 'quantity'; it has 'code', 'count'"),
        (b"sku,qty\nA,3\n", "lacks a column 'quantity'"),
        (b"A,3\nB,4\n", "lacks a column 'sku'"),
        (b"sku,quantity,quantity\nA,3,4\n", "'quantity' stands in the header twice"),
        (b"sku,quantity,name\nA,3,x\nB,4", "breaks off in the middle"),
        (b'sku,quantity,name\nA,3,x\nB,4,"unfinished', "opened in line 3 and never closed"),
        (b'sku,quantity,name\nA,3,"x"y\n', "line 2 has a quotation mark"),
        (b"sku,quantity\nA,3\n\x00\x00\x00\x00", "its end was lost"),
        (b"\x7fELF\x00\x01\x02", "not a text file"),
        (b"PK\x03\x04 sheet", "workbook"),
        (b"\xd0\xcf\x11\xe0 sheet", "workbook"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"%PDF-1.7", "PDF"),
        (b"sku,quantity\nA,three\n", "not one of its rows"),
        (b"sku,quantity\n" + b"x" * (1 << 20), "a line of more than"),
    ],
)
def test_a_file_that_cannot_be_right_is_set_aside_whole(shop: Shop, content: bytes, reason: str) -> None:
    assert reason in refused(shop, content)


def test_a_quotation_mark_that_swallows_half_the_file_is_found(shop: Shop) -> None:
    rows = "".join(f"S{n},{n},x\n" for n in range(300))
    text = f'sku,quantity,name\nA,3,"27 inch\n{rows}B,4,"\n'
    assert "opened in line 2" in refused(shop, text)


def test_a_file_with_too_many_bad_rows_is_set_aside_with_a_list_of_them(shop: Shop) -> None:
    rows = [f"S{n},{'?' if n < 12 else n}" for n in range(100)]
    assert "12 of its 100 rows" in refused(shop, "sku,quantity\n" + "\n".join(rows) + "\n")
    (listed,) = shop.path.glob("failed/*.errors.csv")
    with listed.open(encoding="utf-8-sig", newline="") as file:
        assert [int(row["line"]) for row in csv.DictReader(file)] == list(range(2, 14))


def test_single_bad_rows_are_reported_with_their_lines_and_the_others_kept(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity,name\nA,3,x\nB,many,x\n,5,x\nC,4\nD,1,x,9\nE,2,x\n")
    (page,) = shop.read()
    assert [(row.sku, row.units) for row in page.levels] == [("A", 3), ("E", 2)]
    reasons = dict(page.problems)
    assert list(reasons) == [f"stock.csv:{line}" for line in (3, 4, 5, 6)]
    assert "'many' is not a number" in reasons["stock.csv:3"]
    assert "no SKU" in reasons["stock.csv:4"]
    assert "2 columns and the header 3" in reasons["stock.csv:5"]
    assert "4 columns and the header 3" in reasons["stock.csv:6"]
    assert any(name.endswith(".errors.csv") for name in shop.files("processed"))


def test_line_numbers_count_lines_inside_quotes(shop: Shop) -> None:
    shop.drop("stock.csv", 'sku,quantity,name\nA,3,"two\nlines"\nB,?,x\n')
    assert [where for where, _ in shop.problems()] == ["stock.csv:4"]


def test_a_blank_quantity_is_not_zero(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity\nA,\nB,0\nC,  \n")
    (page,) = shop.read()
    assert [(row.sku, row.units) for row in page.levels] == [("B", 0)]
    assert ["blank is not zero" in problem.reason for problem in page.problems] == [True, True]


def test_blank_quantities_can_mean_that_stock_is_not_counted(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity\nA,\nB,0\n")
    (page,) = shop.read(blank="skip")
    assert ([row.sku for row in page.levels], page.problems) == (["B"], ())


def test_many_blank_quantities_do_not_hold_up_a_file(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity\n" + "".join(f"S{n},\n" for n in range(50)) + "A,1\n")
    assert shop.levels() == {"A": 1}


def test_a_sku_that_a_file_no_longer_names_is_left_out_and_not_zero(shop: Shop) -> None:
    shop.drop("1.csv", "sku,quantity\nA,3\nB,4\n", age_s=60)
    shop.drop("2.csv", "sku,quantity\nB,5\n")
    assert [[tuple(row[:1]) for row in page.levels] for page in shop.read()] == [[("A",), ("B",)], [("B",)]]


@pytest.mark.parametrize(
    ("text", "units"),
    [("0", 0), ("007", 7), (" 12 ", 12), ("-3", -3), ("+4", 4), ("5.", 5), ("5.000", 5), (str(MAX_UNITS), MAX_UNITS)],
)
def test_whole_numbers_are_read(shop: Shop, text: str, units: int) -> None:
    shop.drop("stock.csv", f'sku,quantity\nA,"{text}"\n')
    assert shop.levels() == {"A": units}


@pytest.mark.parametrize(
    "text",
    [
        "8.8E+12", "1e3", "nan", "inf", "1_000", "٣", "²", "1,234", "1 234", "1.5", ".5", "--1", "(5)", "5-",
        "0x10", "N/A", str(MAX_UNITS + 1), "9" * 5000, "=1+1",
    ],
)  # fmt: skip
def test_what_is_not_plainly_a_whole_number_is_refused(shop: Shop, text: str) -> None:
    shop.drop("stock.csv", f'sku,quantity\nA,"{text}"\nB,1\n')
    (page,) = shop.read()
    assert [row.sku for row in page.levels] == ["B"]
    assert [problem.where for problem in page.problems] == ["stock.csv:2"]


@pytest.mark.parametrize("sku", ["007", "8801234567893", "1e3", "N/A", "nan", "Ä-1", "x/y%2F+z", "상품 1", "a　b"])
def test_skus_are_opaque_text(shop: Shop, sku: str) -> None:
    shop.drop("stock.csv", f"sku,quantity\n{sku},1\n")
    assert shop.levels() == {sku: 1}


@pytest.mark.parametrize("sku", ["8.8E+12", "8,80123E+12", "1E+5"])
def test_a_sku_that_a_spreadsheet_has_destroyed_is_refused_not_expanded(shop: Shop, sku: str) -> None:
    shop.drop("stock.csv", f'sku,quantity\n"{sku}",1\nB,1\n')
    (page,) = shop.read()
    assert [row.sku for row in page.levels] == ["B"]
    assert "spreadsheet" in page.problems[0].reason


def test_refs_fit_the_contract_and_do_not_change_with_the_case(shop: Shop) -> None:
    long = "L" * 200
    shop.drop("1.csv", f"sku,quantity\nAbc,1\n{long},1\n", age_s=60)
    shop.drop("2.csv", f"sku,quantity\n aBC ,2\n{long.lower()},2\n")
    first, second = ([row.ref for row in page.levels] for page in shop.read())
    assert first == second
    assert all(0 < len(ref) <= 64 for ref in first)


def test_a_sku_with_two_different_quantities_is_not_taken_at_all(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity\nA,3\nB,1\n a ,4\n")
    (page,) = shop.read()
    assert [row.sku for row in page.levels] == ["B"]
    assert [problem.where for problem in page.problems] == ["stock.csv:2", "stock.csv:4"]
    assert all("lines 2, 4" in problem.reason for problem in page.problems)


def test_a_sku_that_is_repeated_with_the_same_quantity_is_taken_once_and_told(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity\nA,3\nA,3\n")
    (page,) = shop.read()
    assert [(row.sku, row.units) for row in page.levels] == [("A", 3)]
    assert [problem.where for problem in page.problems] == ["stock.csv:3"]


@pytest.mark.parametrize("rows", ["A,3\nA,?\n", "A,?\nA,3\n"])
def test_a_sku_with_an_unreadable_twin_is_not_taken(shop: Shop, rows: str) -> None:
    shop.drop("stock.csv", f"sku,quantity\n{rows}B,1\n")
    assert shop.levels() == {"B": 1}


@pytest.mark.parametrize(
    ("encoding", "configured"),
    [
        ("utf-8", None), ("utf-8-sig", None), ("utf-16", None), ("utf-16", "cp949"), ("utf-8", "cp949"),
        ("cp949", "cp949"), ("cp932", "cp932"),
    ],
)  # fmt: skip
def test_a_byte_order_mark_decides_then_utf8_then_the_setting(
    shop: Shop, encoding: str, configured: str | None
) -> None:
    name = "商品" if encoding == "cp932" else "상품"
    shop.drop("stock.csv", f"sku,quantity\n{name},3\n".encode(encoding))
    assert shop.levels(encoding=configured) == {name: 3}


def test_letters_in_an_encoding_that_nobody_named_are_not_guessed(shop: Shop) -> None:
    assert "set encoding" in refused(shop, "sku,quantity\nÄ,3\n".encode("cp1252"))


def test_letters_that_the_named_encoding_does_not_have_are_refused(shop: Shop) -> None:
    assert "not in cp949" in refused(shop, b"sku,quantity\n\xff\xff,3\n", encoding="cp949")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_usual_delimiters_and_line_ends_need_no_setting(shop: Shop, delimiter: str, newline: str) -> None:
    shop.drop("stock.csv", newline.join([f"SKU{delimiter} Quantity ", f'"A;,|"{delimiter}3', ""]))
    assert shop.levels() == {"A;,|": 3}


def test_the_line_that_names_the_delimiter_is_no_header(shop: Shop) -> None:
    shop.drop("stock.csv", "sep=;\nsku;quantity\nA;3\n")
    assert shop.levels() == {"A": 3}


def test_a_header_is_found_below_title_rows_and_lines_are_still_counted_from_the_top(shop: Shop) -> None:
    shop.drop("stock.csv", 'Corner shop\n"Printed, at nine"\n\nsku,quantity\nA,3\nB,?\n')
    (page,) = shop.read()
    assert [row.sku for row in page.levels] == ["A"]
    assert [problem.where for problem in page.problems] == ["stock.csv:6"]


def test_a_last_line_without_a_line_end_is_whole_when_it_has_all_columns(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,quantity\nA,3\nB,4")
    assert shop.levels() == {"A": 3, "B": 4}


def test_columns_are_found_by_their_names_wherever_they_stand(shop: Shop) -> None:
    shop.drop("stock.csv", "Name,On Hand,Barcode,Code\nx,3,88,A\ny,4,99,\n")
    assert shop.levels(sku_column=["code", "barcode"], quantity_column="on hand") == {"A": 3, "99": 4}


def test_several_quantity_columns_are_added_up(shop: Shop) -> None:
    shop.drop("stock.csv", "sku,front,back\nA,3,4\nB,1,\n")
    (page,) = shop.read(quantity_column=["front", "back"])
    assert [(row.sku, row.units) for row in page.levels] == [("A", 7)]
    assert "blank" in page.problems[0].reason


def test_reports_beside_a_file_are_no_formulas_to_a_spreadsheet(shop: Shop) -> None:
    from channels.pos_csv.reasons import harmless

    assert [harmless(cell) for cell in ("=1", " +1", "-1", "@x", "\tx", "x=1")] == [
        "'=1", "' +1", "'-1", "'@x", "'\tx", "x=1",
    ]  # fmt: skip
