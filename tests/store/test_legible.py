"""What somebody typed elsewhere is no command to a terminal, and no reason to stop a reading."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import Level, Page
from sync.commands.output import console, print_json, table
from sync.deadline import Deadline
from sync.legible import SKU_LIMIT, shown, with_skus_fit
from sync.pull import pull
from tests.conftest import Town

UNFIT = [
    "\x1b[31mRED",
    "TITLE\x1b]0;yours\x07",
    "TWO\nLINES",
    "BACK\rOVER",
    "NUL\x00",
    "C1\x9b31m",
    "HALF\ud800",
    "L" * 256,
    "",
    " \u00a0",
]
FIT = ["SKU-1", "재고 1", "ß", "[bold]", "--json", "=1+1", "A:B{c}*", "e\u0301", "zero\u200bwidth", "L" * SKU_LIMIT]


@pytest.mark.parametrize("sku", UNFIT)
def test_what_cannot_be_a_sku_is_a_problem_that_says_what_to_do(sku: str) -> None:
    page = with_skus_fit(Page([Level("MUG", "1", 3), Level(sku, "2", 4)]))
    assert [level.sku for level in page.levels] == ["MUG"]
    (problem,) = page.problems
    assert problem.where.isprintable()
    assert "at the channel" in problem.reason


@pytest.mark.parametrize("sku", FIT)
def test_whatever_can_be_typed_is_a_sku(sku: str) -> None:
    page = Page([Level(sku, "1", 3)])
    assert with_skus_fit(page) is page


def test_a_reading_goes_on_past_skus_that_are_none(town: Town) -> None:
    for sku in ("MUG", *UNFIT):
        town.till.shop.put(sku, 3)
    assert pull(town.context, "till", Deadline(60))
    assert [record.sku for record in town.context.ledger.every_record()] == ["MUG"]


@given(st.text())
def test_nothing_that_is_shown_acts_on_a_terminal(text: str) -> None:
    assert not set(shown(text)) & {chr(code) for code in (*range(32), *range(127, 160), 0x202E, 0x2066)}


def test_a_table_shows_what_would_act_on_a_terminal_spelt_out(capsys: pytest.CaptureFixture[str]) -> None:
    rows = table(None, ["why"])
    rows.add_row("\x1b]0;yours\x07 \x9b31m and \u202eback")
    console().print(rows)
    out = capsys.readouterr().out
    assert "\\x1b]0;yours" in out
    assert all(sign.isprintable() or sign == "\n" for sign in out)


def test_json_can_be_written_to_a_terminal_that_knows_ascii_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    print_json([{"sku": "재고"}])
    assert json.loads(out.buffer.getvalue()) == [{"sku": "재고"}]  # type: ignore[attr-defined]
