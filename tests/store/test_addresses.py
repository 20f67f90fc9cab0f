"""Addresses of stores and brokers: read right, written for Celery right, and never shown with their passwords."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.storage.addresses import BROKER_SCHEMES, STORE_SCHEMES, Sentinels, check, for_celery

THREE = "sentinel://:p%40ss@one:26379;sentinel://two;sentinel://three:26380/2?master=stock&sentinel_password=g%26uard"


def test_sentinels_are_read_with_their_primary_and_both_passwords() -> None:
    assert Sentinels.parse(THREE) == Sentinels(
        hosts=(("one", 26379), ("two", 26379), ("three", 26380)),
        master="stock",
        database=2,
        password="p@ss",
        sentinel_password="g&uard",
    )


def test_one_sentinel_is_enough_and_its_primary_has_the_usual_name() -> None:
    assert Sentinels.parse("sentinel://guard") == Sentinels(hosts=(("guard", 26379),), master="mymaster")


def test_celery_finds_the_password_beside_whichever_sentinel_it_asks() -> None:
    assert for_celery(THREE) == (
        "sentinel://:p%40ss@one:26379/2;sentinel://:p%40ss@two:26379/2;sentinel://:p%40ss@three:26380/2"
    )


@pytest.mark.parametrize(
    ("ours", "celerys"),
    [
        ("redis://:secret@host:6379/1", "redis://:secret@host:6379/1"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock"),
        ("amqp://user:secret@rabbit:5672/stock", "amqp://user:secret@rabbit:5672/stock"),
    ],
)
def test_other_addresses_are_celerys_own(ours: str, celerys: str) -> None:
    assert for_celery(ours) == celerys


@pytest.mark.parametrize(
    "wrong",
    [
        "http://host",
        "redis",
        "",
        "redis://host:0",
        "redis://host:port",
        "redis://one;redis://two;http://three",
        "sentinel://",
        "sentinel://one;redis://two",
        "sentinel://one/zero",
        "redis://host/0?socket_timeout=soon",
        "redis://host/0?nonsense=1",
        "redis://host/0?password=s3cret",
        "sentinel://one?mastre=stock",
        "sentinel://one?master",
        "sentinel://one:port",
        "sentinel://guard:s3cret/1",
        "sentinel://one?s3cret",
        "sentinel://[::1",
        "rediss://host/0?ssl_cert_reqs=s3cret",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(wrong: str) -> None:
    secret = wrong.replace("://", "://:s3cret@", 1)
    with pytest.raises(ValueError, match=r".") as caught:
        check(secret, STORE_SCHEMES)
    assert "s3cret" not in str(caught.value)


def test_a_password_in_the_users_place_is_refused_for_celery_would_show_it() -> None:
    with pytest.raises(ValueError, match=r"a password alone is written redis://:password@") as caught:
        check("redis://s3cret@host:6379/0", STORE_SCHEMES)
    assert "s3cret" not in str(caught.value)


@given(st.text())
def test_whatever_the_text_is_it_is_an_address_or_a_value_error(text: str) -> None:
    for schemes in (STORE_SCHEMES, BROKER_SCHEMES):
        for whole in (text, f"sentinel://{text}", f"redis://{text}"):
            try:
                check(whole, schemes)
            except ValueError:
                continue
            assert for_celery(whole)


def test_a_password_does_not_show() -> None:
    assert "p@ss" not in repr(Sentinels.parse(THREE))
    assert "g&uard" not in repr(Sentinels.parse(THREE))
