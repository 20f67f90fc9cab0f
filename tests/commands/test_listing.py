"""Long lists for people: aligned, harmless to a terminal, and printed as their rows come."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync.commands.listing import BLOCK, Styled, in_colour, print_list


def test_columns_are_aligned_and_numbers_flush_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_list(["SKU", "on hand"], [["MUG", "5"], ["TEAPOT-01", "1200"]], right=["on hand"]) == 2
    assert capsys.readouterr().out.splitlines() == [
        "SKU        on hand",
        "MUG              5",
        "TEAPOT-01     1200",
    ]


def test_signs_that_take_two_columns_are_counted_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    print_list(["SKU", "why"], [["녹차", "sold"], ["TEA", "sold"]])
    assert capsys.readouterr().out.splitlines() == ["SKU   why", "녹차  sold", "TEA   sold"]


def test_text_from_outside_cannot_act_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_list(["SKU"], [["A\x1b[2Jx"], [Styled("B\u202e", "red")]])
    assert capsys.readouterr().out.splitlines() == ["SKU", r"A\x1b[2Jx", r"B\u202e"]


def test_there_is_no_colour_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_list(["SKU", "level"], [in_colour(["A", "1"], "red")])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(("no_colour", "coloured"), [(False, True), (True, False)])
def test_on_a_terminal_there_is_unless_nobody_wants_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, no_colour: bool, coloured: bool
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_colour:
        monkeypatch.setenv("NO_COLOR", "1")
    print_list(["SKU"], [[Styled("A", "red")], ["B"]])
    header, first, second = capsys.readouterr().out.splitlines()
    assert ("\x1b[1m" in header, "\x1b[31m" in first) == (coloured, coloured)
    assert second == "B"


def test_nothing_is_printed_of_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    assert print_list(["SKU"], []) == 0
    assert capsys.readouterr().out == ""


def test_rows_are_printed_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[int] = []

    def rows() -> Iterator[list[str]]:
        for number in range(2 * BLOCK):
            if number == BLOCK:
                seen.append(len(capsys.readouterr().out.splitlines()))
            yield [str(number)]

    assert print_list(["n"], rows()) == 2 * BLOCK
    assert seen == [BLOCK + 1]
