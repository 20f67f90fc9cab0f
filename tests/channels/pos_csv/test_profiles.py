"""Every ready profile reads a file as its source writes it, in its real encoding, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from channels.pos_csv import PosCsvSettings
from channels.pos_csv.profiles import PROFILES

from .conftest import Shop

SAMPLES = Path(__file__).parent / "samples"

LEVELS = {
    "plain": {"MUG-BLUE": 12, "0072250012345": 3, "TEE-M": 0, "TEE-L": -1},
    "shopify": {"LS-M-WHT": 11, "LS-L-WHT": -2, "00415": 5},
    "square": {"ESP-250": 20, "ESP-1000": 3, "FIL-4": 25},
    "lightspeed_r": {"BELL-B": 7, "210000000018": 2, "LOCK-U": 0, "PUMP-F": -1},
    "lightspeed_x": {"10022": 17, "M-1": 38},
    "loyverse": {"10001": 22, "10003": 8, "10004": 0},
    "woocommerce": {"SOAP-LAV": 31, "ROBE-S": 4, "OIL-001": 0},
    "clover": {"BGL-01": 36, "SDL-01": 8, "000317": 0},
    "korean": {"000101": 1204, "000102": 17, "000103": 0, "000104": -2},
    "japanese": {"00-2101": 52, "00-2102": 3, "00-2103": 0, "00-3001": 1120},
    "edi846": {"LAMP-01": 14, "LAMP-02": 0, "000912": 230},
}


def sample(profile: str) -> bytes:
    return (SAMPLES / f"{profile}.csv").read_bytes()


def test_every_profile_has_a_sample() -> None:
    assert set(LEVELS) == set(PROFILES)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_reads_its_sample_without_a_complaint(shop: Shop, profile: str) -> None:
    shop.drop("export.csv", sample(profile))
    (page,) = shop.read(profile=profile)
    assert {row.sku: row.units for row in page.levels} == LEVELS[profile]
    assert page.problems == ()


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("other", PROFILES)
def test_a_file_of_one_profile_is_refused_by_another_or_read_to_the_same_levels(
    shop: Shop, profile: str, other: str
) -> None:
    shop.drop("export.csv", sample(profile))
    assert shop.levels(profile=other) in ({}, LEVELS[profile])


@pytest.mark.parametrize("profile", PROFILES)
def test_a_sample_that_is_cut_anywhere_gives_no_level_that_is_not_in_it(shop: Shop, profile: str) -> None:
    whole = sample(profile)
    for length in range(0, len(whole), 37):
        shop.clock.advance(1)
        shop.drop("export.csv", whole[:length])
        found = shop.levels(profile=profile, repeats="newer")
        last = max(found, key=list(found).index, default="")
        wrong = {sku for sku, units in found.items() if LEVELS[profile].get(sku) != units}
        # The number in the very last line may be cut, and sums lack the rows that are cut off.
        assert wrong <= {last}, length


def test_one_location_of_several_columns(shop: Shop) -> None:
    shop.drop("export.csv", sample("loyverse"))
    assert shop.levels(profile="loyverse", locations="Harbour") == {"10001": 4, "10003": 11, "10004": 0}


def test_one_location_of_several_rows(shop: Shop) -> None:
    shop.drop("export.csv", sample("shopify"))
    assert shop.levels(profile="shopify", locations=["main street"]) == {"LS-M-WHT": 7, "LS-L-WHT": -2, "00415": 5}


@pytest.mark.parametrize("profile", ["loyverse", "shopify"])
def test_a_location_that_is_not_in_the_file_sets_it_aside(shop: Shop, profile: str) -> None:
    shop.drop("export.csv", sample(profile))
    ((_, reason),) = shop.problems(profile=profile, locations=["Harbour", "Airport"])
    assert "airport" in reason.casefold()


def test_the_time_of_an_inventory_advice_stands_in_its_header_record(shop: Shop) -> None:
    shop.drop("export.csv", sample("edi846"))
    (page,) = shop.read(profile="edi846")
    assert page.as_of == datetime(2026, 1, 31, 20, 0, tzinfo=UTC)


def test_a_key_set_beside_a_profile_wins(shop: Shop) -> None:
    shop.drop("export.csv", sample("edi846"))
    assert shop.levels(profile="edi846", quantity_column="allocated") == {"LAMP-01": 2, "LAMP-02": 0, "000912": 5}


def test_an_unknown_profile_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(ValidationError, match="lightspeed_x"):
        PosCsvSettings(type="pos_csv", path=Path("pos"), profile="vend")
