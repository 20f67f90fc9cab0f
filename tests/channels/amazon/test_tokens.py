"""The access token: fetched once, shared, renewed before its end, and never told to anyone."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from channels.amazon import AmazonSettings
from channels.errors import ChannelError, Denied, Unreachable
from channels.sandbox import Fault
from channels.services import Services


def test_one_token_serves_many_calls_and_several_processes(sandbox, connect, memory):
    first, second = connect(), connect(Services(memory=memory))
    for channel in (first, second, first):
        list(channel.read_all())
    assert sandbox.gate.given == 1


def test_a_token_is_renewed_a_minute_before_it_ends(sandbox, channel, clock):
    list(channel.read_all())
    clock.advance(3600 - 61)
    list(channel.read_all())
    assert sandbox.gate.given == 1
    clock.advance(2)
    list(channel.read_all())
    assert sandbox.gate.given == 2
    assert {call.status for call in sandbox.calls} == {200}


def test_a_token_that_lives_shorter_than_the_margin_is_still_used(sandbox, channel):
    sandbox.gate.lives_s = 10
    for _ in range(3):
        list(channel.read_all())
    assert sandbox.gate.given == 1


def test_a_token_refused_before_its_time_is_renewed_once_and_the_call_repeated(sandbox, channel):
    sandbox.account.put("A", 1)
    list(channel.read_all())
    sandbox.gate.end_all()
    (page,) = channel.read_all()
    assert [row.sku for row in page.levels] == ["A"]
    assert [call.status for call in sandbox.calls] == [200, 403, 200]


@pytest.mark.parametrize("status", [401, 403])
def test_a_write_refused_for_its_token_is_sent_again_with_a_new_one(sandbox, channel, write, status):
    sandbox.account.put("A", 1)
    sandbox.faults.add(Fault("answer", match="^PATCH", status=status, times=1))
    assert write(channel, {"A": 5}) == ["accepted"]
    assert sandbox.account.shown("A") == 5


def test_a_missing_role_is_denied_and_does_not_fetch_a_token_for_every_call(sandbox, channel):
    sandbox.faults.add(Fault("answer", match="^GET", status=403))
    for _ in range(4):
        with pytest.raises(Denied) as caught:
            list(channel.read_all())
    assert sandbox.gate.given == 2
    assert "role" in caught.value.advice


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"refresh_token": "Atzr|other"}, "invalid_grant"), ({"client_secret": "other"}, "invalid_client")],
)
def test_wrong_credentials_are_denied_in_the_words_of_login_with_amazon(connect, wrong, words):
    with pytest.raises(Denied) as caught:
        list(connect(**wrong).read_all())
    assert words in str(caught.value)
    assert "refresh_token" in caught.value.advice


@pytest.mark.parametrize("trouble", [Fault("answer", status=503), Fault("garbage"), Fault("hang up")])
def test_without_a_token_a_write_was_certainly_not_sent(sandbox, channel, write, trouble):
    sandbox.account.put("A", 1)
    trouble.match = "^POST /auth"
    sandbox.faults.add(trouble)
    with pytest.raises(Unreachable):
        list(channel.read_all())
    assert write(channel, {"A": 5}) == ["deferred"]
    assert sandbox.account.shown("A") == 1


def test_other_credentials_never_meet_a_token_of_the_old_ones(sandbox, connect):
    list(connect().read_all())
    sandbox.gate.refresh_token = "Atzr|new"
    list(connect(refresh_token="Atzr|new").read_all())
    assert sandbox.gate.given == 2


def test_no_secret_shows_in_a_repr_an_error_a_log_or_a_key(sandbox, url, connect, memory, caplog):
    caplog.set_level(logging.DEBUG)
    channel = connect()
    list(channel.read_all())
    ((_, token),) = memory.values.values()
    sandbox.gate.refresh_token = "Atzr|another"
    sandbox.gate.end_all()
    with pytest.raises(ChannelError) as caught:
        list(channel.read_all())
    table = sandbox.settings(url)
    secrets = [table["client_secret"], "Atzr|sandbox-refresh", token]
    told = [repr(channel), repr(channel.settings), repr(channel.services), str(caught.value), repr(caught.value)]
    told += [str(memory.values.keys()), caplog.text, channel.settings.model_dump_json()]
    for text in told:
        assert not any(secret in text for secret in secrets)


def test_a_wrong_table_is_refused_without_showing_its_secrets(sandbox, url):
    table = sandbox.settings(url) | {"seller_id": "", "surprise": 1}
    with pytest.raises(ValueError, match="seller_id") as caught:
        AmazonSettings.model_validate(table)
    assert "surprise" in str(caught.value)
    assert table["client_secret"] not in str(caught.value)


def test_threads_that_start_together_fetch_one_token(sandbox, channel):
    sandbox.faults.add(Fault("slow", match="^POST /auth", seconds=0.1))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: list(channel.read_all()), range(8)))
    assert sandbox.gate.given == 1
