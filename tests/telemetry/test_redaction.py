"""No secret leaves the process as text, whoever put it there and however it is quoted."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from sync.context import Context, _adapter
from sync.settings import Settings
from sync.telemetry.redaction import MASK, SHORTEST, Redactor
from tests.conftest import TimedStore
from tests.telemetry.shop import secrets_of, shop_settings

SECRET = 'a"b\\c d/e|f+\n é'


def test_every_secret_of_the_settings_is_known() -> None:
    settings = shop_settings()
    redactor = Redactor.of(settings)
    assert len(secrets_of(settings)) >= 6
    for secret in secrets_of(settings):
        assert redactor.clean(f"before {secret} after") == f"before {MASK} after"


def test_the_password_of_an_address_is_known_by_itself() -> None:
    redactor = Redactor.of(Settings.model_construct(redis_url=SecretStr("rediss://user:p%40ss-word@db:6379/0")))
    assert redactor.clean("AUTH p%40ss-word") == f"AUTH {MASK}"
    assert redactor.clean("AUTH p@ss-word") == f"AUTH {MASK}"


@pytest.mark.parametrize("quoted", [SECRET, json.dumps(SECRET), repr(SECRET), quote(SECRET, safe="")])
def test_a_secret_is_found_however_it_is_quoted(quoted: str) -> None:
    assert "b\\c" not in Redactor([SECRET]).clean(quoted)
    assert MASK in Redactor([SECRET]).clean(quoted)


@pytest.mark.parametrize(
    "text",
    [
        "X-Auth-Token: tk-5f0c9a",
        "{'Authorization': 'Bearer tk-5f0c9a'}",
        '{"access_token":"tk-5f0c9a","expires_in":3600}',
        '{\\"refresh_token\\": \\"tk-5f0c9a\\"}',
        "grant_type=refresh_token&client_secret=tk-5f0c9a&client_id=abc",
        "cannot connect to redis://:tk-5f0c9a@db:6379/0",
        "cannot connect to amqp://me:tk-5f0c9a@mq//",
        "GET /bigcommerce/auth?code=tk-5f0c9a&scope=x",
        "GET /report?X-Amz-Expires=300&X-Amz-Signature=tk-5f0c9a HTTP/1.1",
        "got Atza|tk-5f0c9a back",
        "authorization = bearer tk-5f0c9a",
    ],
)
def test_a_secret_that_no_settings_name_is_known_by_what_stands_before_it(text: str) -> None:
    cleaned = Redactor().clean(text)
    assert "tk-5f0c9a" not in cleaned
    assert MASK in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "store: 120 listings read",
        "http://127.0.0.1:8080/stores/abc123/v3/catalog/products?page=2",
        "the token endpoint answered 400: invalid_grant",
        "store: read products failed (HTTP 401): no such token [request 77]. Check the channel's credentials.",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert Redactor(["a-long-secret"]).clean(text) == text


def test_fields_of_that_name_are_masked_in_values_of_json() -> None:
    value = {"headers": {"X-Auth-Token": "abc", "Accept": "json"}, "tries": [1, "tk-5f0c9a"], "ok": True}
    assert Redactor(["tk-5f0c9a"]).clean_all(value) == {
        "headers": {"X-Auth-Token": MASK, "Accept": "json"},
        "tries": [1, MASK],
        "ok": True,
    }


@given(st.text(min_size=SHORTEST), st.text(), st.text())
def test_no_secret_survives_whatever_stands_around_it(secret: str, before: str, after: str) -> None:
    cleaned = Redactor([secret]).clean(before + secret + after)
    assert secret not in cleaned or secret in before + after or secret in MASK + after or secret in before + MASK


@given(st.text())
def test_a_redactor_takes_any_text(text: str) -> None:
    assert isinstance(Redactor().clean(text), str)


def test_the_secrets_of_a_channel_that_joins_later_are_learnt(store: TimedStore) -> None:
    settings = shop_settings()
    late = settings.channel_settings["store"].model_copy(update={"access_token": SecretStr("token-of-a-late-store")})
    context = Context(settings)
    context.store = store
    assert context.redactor.clean("token-of-a-late-store") == "token-of-a-late-store"
    _adapter(context, "late", late)
    assert context.redactor.clean("token-of-a-late-store") == MASK
