"""Bundles in the settings file and in a CSV: what may stand there, and what a mistake says."""

from __future__ import annotations

import pytest

from tests.settings_file import alone, load, refused

__all__ = ["alone"]

CHANNELS = """
[channels.till]
type = "pos_csv"
path = "pos"
"""


def test_bundles_stand_in_the_settings_and_more_in_a_csv() -> None:
    settings = load(
        'bundles_csv = "bundles.csv"\n[bundles]\n"GIFT-BOX" = { MUG = 1, TEA = 2 }' + CHANNELS,
        bundles="bundle,component,units\nSIX,TEA,6\n",
    )
    assert {str(recipe) for recipe in settings.recipes.bundles.values()} == {"1 MUG, 2 TEA", "6 TEA"}
    assert settings.recipes.made_with("tea") == ["gift-box", "six"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[bundles]\nBOX = {}", "sync.toml: bundles.BOX: is made of nothing"),
        ("[bundles]\nBOX = { MUG = 0 }", "bundles.BOX.MUG: input should be greater than or equal to 1"),
        ("[bundles]\nBOX = { MUG = 1 }\nbox = { TEA = 1 }", "bundles.box: is there twice"),
        ("[bundles]\nBOX = { MUG = 1, mug = 1 }", "bundles.BOX: mug is in BOX twice; add the units up"),
        ("[bundles]\nBOX = { BOX = 1 }", "bundles.BOX: BOX is a bundle itself"),
        ("[bundles]\nBIG = { BOX = 2 }\nBOX = { MUG = 1 }", "bundles.BIG: BOX is a bundle itself"),
    ],
)
def test_a_mistake_names_the_bundle_and_what_would_be_right(text: str, words: str) -> None:
    assert words in refused(text + CHANNELS)


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        ("bundle,component\nBOX,MUG\n", "bundles.csv:1: there is no column 'units'"),
        ("bundle,component,units\nBOX,MUG,1\nBOX,TEA,two\n", "bundles.csv:3: units must be a whole number from 1 on"),
        ("bundle,component,units\nBOX,MUG,\n", "bundles.csv:2: units is blank"),
        ("bundle,component,units\nBOX,MUG,1\nBOX,mug,1\n", "bundles.csv:3: mug is in BOX twice"),
        ("bundle,component,units\nset,MUG,1\n", "bundles.csv:2: set stands in [bundles] of the settings file already"),
        ("bundle,component,units\nBIG,SET,1\n", "bundles.csv:2: SET is a bundle itself"),
    ],
)
def test_a_bad_row_is_an_error_with_its_line(csv: str, words: str) -> None:
    assert words in refused('bundles_csv = "bundles.csv"\n[bundles]\nSET = { TEA = 2 }' + CHANNELS, bundles=csv)
