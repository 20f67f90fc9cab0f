"""The page on channels shows samples as they are, with settings that read them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from channels.pos_csv import PosCsvSettings

from .conftest import Shop
from .test_profiles import LEVELS, SAMPLES

PAGE = Path(__file__).parents[3] / "docs" / "channels.md"

SHOWN = {"lightspeed_r": "utf-8", "korean": "cp949", "edi846": "utf-8"}


def tables() -> list[dict[str, object]]:
    """Every channel's table on the page."""
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [table for block in blocks for table in tomllib.loads(block).get("channels", {}).values()]


@pytest.mark.parametrize("profile", SHOWN)
def test_a_sample_stands_there_as_it_is_and_is_read_by_the_settings_below_it(shop: Shop, profile: str) -> None:
    sample = (SAMPLES / f"{profile}.csv").read_bytes()
    lines = sample.decode(SHOWN[profile]).splitlines()
    before, shown, below = PAGE.read_text("utf-8").partition("```csv\n" + "\n".join(lines[:2]) + "\n")
    assert before
    assert shown
    settings = re.search(r"```toml\n(.*?)```", below, re.DOTALL)
    assert settings
    (table,) = tomllib.loads(settings[1])["channels"].values()
    shop.drop("export.csv", sample)
    assert shop.levels(**(table | {"path": shop.path})) == LEVELS[profile]


def test_every_table_of_a_till_on_the_page_is_right() -> None:
    tills = [PosCsvSettings.model_validate(table) for table in tables() if table.get("type") == "pos_csv"]
    assert {till.kind for till in tills} == {"snapshot", "journal"}
    assert any(till.sftp_host for till in tills)
    assert any(till.s3_bucket for till in tills)
