"""The ``[policy]`` table and its CSV: what may stand there, and what a mistake says."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.policy.targets import Policy
from sync.settings import Settings
from sync.stock.records import Record
from tests.settings_file import alone, load, refused

__all__ = ["alone"]

CHANNELS = """
[channels.till]
type = "pos_csv"
path = "pos"

[channels.store]
type = "bigcommerce"
store_hash = "abc123"
access_token = "not-a-real-one"
"""

IN_A_CSV = '[policy]\nrules_csv = "rules.csv"\n' + CHANNELS


def shown(settings: Settings, sku: str, on_hand: int) -> int | None:
    policy = Policy([("till", False), ("store", True)], settings.rules)
    return policy.target(Record(sku.casefold(), sku, on_hand, 1, "", {}), "store")


def test_rules_stand_in_the_settings_for_all_for_a_channel_and_for_skus() -> None:
    settings = load(
        """
        [policy]
        buffer = 1
        [policy.channels.store]
        cap = 50
        [[policy.rules]]
        sku = "GIFT-*"
        channel = "store"
        buffer = 3
        """
        + CHANNELS
    )
    assert (shown(settings, "A", 90), shown(settings, "A", 9), shown(settings, "gift-1", 9)) == (50, 8, 6)


def test_more_rules_stand_in_a_csv() -> None:
    settings = load(
        IN_A_CSV,
        rules="\ufeffSKU,channel,buffer,pin\nA,store,2,\n\nB,,,true\n",
    )
    assert (shown(settings, "A", 9), shown(settings, "b", 9), shown(settings, "C", 9)) == (7, None, 9)
    assert settings.rules[0].source == "rules.csv:2"


def test_a_csv_of_a_country_that_writes_decimal_commas_has_semicolons() -> None:
    assert shown(load(IN_A_CSV, rules="sku;cap\nA;4\n"), "A", 9) == 4


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ("[policy]\nbufer = 1", "sync.toml: policy.bufer: there is no such key; did you mean 'buffer'?"),
        ("[policy]\nbuffer = -1", "policy.buffer: input should be greater than or equal to 0"),
        ("[policy]\nshare = 101", "policy.share: input should be less than or equal to 100"),
        ("[policy]\ncap = -1", "policy.cap: must be a number of units from 0 on, or 'none'"),
        ("[policy.channels.shop]\ncap = 1", "policy.channels.shop: there is no channel 'shop'; there are: till, store"),
        ("[policy.channels.store]\ncapp = 1", "policy.channels.store.capp: there is no such key; did you mean 'cap'?"),
        ("[[policy.rules]]\ncap = 1", "policy.rules.0.sku: is missing"),
        ('[[policy.rules]]\nsku = "A"', "policy.rules.0: says nothing; it must set one of: buffer, share"),
        ('[[policy.rules]]\nsku = "A"\nchannel = "x"\ncap = 1', "policy.rules.0.channel: there is no channel 'x'"),
        ('[policy]\nrules_csv = "gone.csv"', "gone.csv: cannot be read: No such file or directory"),
    ],
)
def test_a_mistake_names_the_key_and_what_would_be_right(policy: str, words: str) -> None:
    assert words in refused(policy + CHANNELS)


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        ("channel,cap\nstore,1\n", "rules.csv:1: there is no column 'sku'"),
        ("sku,caps\nA,1\n", "rules.csv:1: column 'caps' is none; the columns are: sku, channel, buffer"),
        ("sku,cap,cap\nA,1,1\n", "rules.csv:1: column 'cap' stands there twice"),
        ("sku,cap\nA,1\n,2\n", "rules.csv:3: sku is blank"),
        ("sku,cap\nA,1\nB,many\n", "rules.csv:3: cap: must be a number of units from 0 on, or 'none'"),
        ("sku,cap\nA,1\n\nB,\n", "rules.csv:4: says nothing"),
        ("sku,channel,cap\nA,shop,1\n", "rules.csv:2: there is no channel 'shop'"),
        ("sku,cap\nA,1,5\n", "rules.csv:2: has more cells than columns"),
        ("", "rules.csv:1: there is no column 'sku'"),
    ],
)
def test_a_bad_row_is_an_error_with_its_line(csv: str, words: str) -> None:
    assert words in refused(IN_A_CSV, rules=csv)


def test_a_csv_that_is_not_text_is_refused() -> None:
    Path("rules.csv").write_bytes(b"sku,cap\nA\xff,1\n")
    assert "rules.csv: is not UTF-8" in refused(IN_A_CSV)
