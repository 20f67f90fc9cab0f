"""Whom the app believes, and what it lets nobody see: callbacks, codes, scopes, keys, tokens and settings."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import requests
from cryptography.fernet import Fernet

from channels.bigcommerce.sandbox.login import SCOPES
from channels.sandbox import Fault
from sync.errors import SettingsError
from sync.settings import load_settings
from tests.oauth.conftest import CLIENT_SECRET, Market, joined, levels

FORGERIES = {
    "another secret": {"secret": "x" * 64},
    "no signature": {"algorithm": "none"},
    "an algorithm that is not documented": {"algorithm": "HS384"},
    "another app": {"aud": "another-app"},
    "no app": {"aud": None},
    "too old": {"exp": 1_700_000_000},
    "without an end": {"exp": None},
    "not yet valid": {"nbf": 4_000_000_000},
    "no store": {"sub": None},
    "not a store": {"sub": "users/1"},
    "a store in a path": {"sub": "stores/../abc123"},
    "without an id": {"jti": None},
}


@pytest.mark.parametrize("path", ["load", "uninstall", "remove_user"])
@pytest.mark.parametrize("changes", FORGERIES.values(), ids=FORGERIES)
def test_a_callback_that_is_not_rightly_signed_does_nothing(
    market: Market, path: str, changes: dict[str, object]
) -> None:
    market.install()
    before = market.process().stores.all()
    assert market.signed(path, **changes).status_code in (400, 401)
    assert market.process().stores.all() == before


@pytest.mark.parametrize("query", ["", "signed_payload_jwt=", "signed_payload_jwt=a.b.c", "signed_payload_jwt=%00%ff"])
def test_a_callback_without_a_signed_message_is_refused(market: Market, query: str) -> None:
    assert market.get("uninstall", query).status_code == 401


def test_a_request_to_uninstall_that_is_sent_again_does_nothing_to_a_store_that_came_back(market: Market) -> None:
    market.install()
    query = market.login.uninstall(market.at("abc123"))
    market.get("uninstall", query)
    market.install()
    assert market.get("uninstall", query).status_code == 200
    assert joined(market.process()) == ["store-abc123"]


def test_a_request_to_uninstall_from_before_the_installation_does_nothing(market: Market) -> None:
    market.install()
    assert market.signed("uninstall", iat=1_700_000_000).status_code == 200
    assert joined(market.process()) == ["store-abc123"]


def test_a_code_that_is_sent_again_changes_nothing(market: Market) -> None:
    query = market.login.install(market.at("abc123"))
    assert market.get("auth", query).status_code == 200
    before = market.process().stores.all()
    answer = market.get("auth", query)
    assert answer.status_code == 400
    assert "used before" in answer.text
    assert market.process().stores.all() == before


@pytest.mark.parametrize(
    "context", ["", "abc123", "stores/", "stores/ABC", "stores/a/b", "stores/abc123\n", "x" * 3000]
)
def test_a_context_that_is_no_store_is_refused_and_nobody_is_asked(market: Market, context: str) -> None:
    url = f"{market.receiver}/bigcommerce/auth"
    assert requests.get(url, params={"code": "c", "context": context, "scope": SCOPES}, timeout=10).status_code == 400
    assert market.login.asked == []


def test_a_code_of_another_store_is_refused(market: Market) -> None:
    query = market.login.install(market.at("def456")).replace("def456", "abc123")
    assert market.get("auth", query).status_code == 400
    assert joined(market.process()) == []


@pytest.mark.parametrize(
    ("write", "scope", "missing"),
    [
        ("catalog", SCOPES.replace("store_v2_products", ""), "store_v2_products"),
        ("catalog", SCOPES.replace("store_v2_products", "store_v2_products_read_only"), "store_v2_products"),
        ("catalog", SCOPES.replace("store_v2_orders_read_only", ""), "store_v2_orders_read_only"),
        ("inventory", SCOPES, "store_inventory"),
    ],
)
def test_a_token_without_the_scopes_is_not_kept(market: Market, write: str, scope: str, missing: str) -> None:
    market.configure(more=f'write = "{write}"')
    market.restart()
    answer = market.install(scope=scope)
    assert answer.status_code == 403
    assert missing in answer.text
    assert market.process().stores.get("abc123") is None


def test_who_may_modify_orders_may_read_them(market: Market) -> None:
    scope = SCOPES.replace("store_v2_orders_read_only", "store_v2_orders")
    assert market.install(scope=scope).status_code == 200


@pytest.mark.parametrize("kind", ["hang up", "garbage", "answer"])
def test_a_login_server_in_trouble_is_told_and_nothing_is_kept(market: Market, kind: str) -> None:
    market.login.faults.add(Fault(kind, status=503))  # type: ignore[arg-type]
    answer = market.install()
    assert answer.status_code == 502
    assert joined(market.process()) == []


def test_a_key_that_opens_nothing_locks_the_store_and_no_other(
    market: Market, caplog: pytest.LogCaptureFixture
) -> None:
    market.install("abc123")
    old = list(market.keys)
    market.keys[:] = [Fernet.generate_key().decode()]
    market.configure()
    context = market.process()
    assert joined(context) == []
    assert "no key of oauth.encryption_keys opens its token" in caplog.text
    (one,) = context.stores.all()[1]
    assert context.stores.state(one) == "locked"
    market.keys[:] = [*market.keys, *old]
    market.configure()
    assert joined(market.process()) == ["store-abc123"]


def test_keys_are_rotated_without_installing_anything_again(market: Market) -> None:
    market.install("abc123")
    market.install("def456")
    new = Fernet.generate_key().decode()
    market.keys.insert(0, new)
    market.configure()
    context = market.process()
    version = context.stores.version()
    assert context.stores.rotate() == (2, 0)
    assert context.stores.version() == version
    market.keys[:] = [new]
    market.configure()
    assert joined(market.process()) == ["store-abc123", "store-def456"]


def test_a_token_that_was_put_to_another_store_is_not_used(market: Market) -> None:
    market.install("abc123")
    market.install("def456")
    rows = market.store.client.hgetall("is:{stores}")
    swapped = json.loads(rows["def456"]) | {"token": json.loads(rows["abc123"])["token"]}
    market.store.client.hset("is:{stores}", "def456", json.dumps(swapped))
    assert joined(market.process()) == ["store-abc123"]


def test_no_secret_is_seen_anywhere(market: Market, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    pages = [market.install("abc123"), market.install("foreign"), market.signed("load"), market.signed("load", aud="x")]
    query = market.login.install(market.at("abc123"))
    pages += [market.get("auth", query), market.get("auth", query)]
    context = market.process()
    levels(context, "store-abc123")
    secrets = [market.at("abc123").token, market.at("foreign").token, CLIENT_SECRET, *market.keys]
    told = [page.text + str(page.headers) for page in pages]
    told += [repr(context), repr(context.settings), str(context.settings), context.settings.model_dump_json()]
    told += [repr(context.stores.all()), repr(context.channels), repr(context.stores)]
    told += [caplog.text, *(repr(vars(record)) for record in caplog.records)]
    told += list(everything_in(market))
    assert any('"token"' in text for text in told)
    assert [text[:80] for text in told for secret in secrets if secret in text] == []


def test_an_uninstalled_stores_token_is_in_no_key_not_even_encrypted(market: Market) -> None:
    market.install()
    (one,) = market.process().stores.all()[1]
    market.get("uninstall", market.login.uninstall(market.at("abc123")))
    assert [text for text in everything_in(market) if one.token in text] == []


def test_pages_leak_no_address_and_run_no_script(market: Market) -> None:
    answer = market.get("auth", "code=%3Cscript%3E&context=stores/%3Cscript%3E&scope=x")
    assert "<script>" not in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"more": 'access_token = "x"'}, "oauth.channel.access_token: is the store's own"),
        ({"more": 'wirte = "x"'}, "oauth.channel.wirte"),
        ({"stores": ["ABC"]}, "oauth.stores"),
        ({"redirect": "nowhere"}, "oauth.redirect_uri"),
        ({"more": "read_timeout_s = 900"}, "too short for a write to oauth.channel"),
    ],
)
def test_settings_that_cannot_work_are_told(market: Market, changes: dict[str, object], words: str) -> None:
    market.configure(**changes)
    with pytest.raises(SettingsError, match=words):
        load_settings()


def test_secrets_come_from_the_environment_too(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [Fernet.generate_key().decode(), Fernet.generate_key().decode()]
    monkeypatch.setenv("SYNC_OAUTH__CLIENT_SECRET", "1234567890")
    monkeypatch.setenv("SYNC_OAUTH__ENCRYPTION_KEYS", json.dumps(keys))
    monkeypatch.setenv("SYNC_OAUTH__STORES", '["foreign"]')
    found = load_settings().oauth
    assert found is not None
    assert found.client_secret.get_secret_value() == "1234567890"
    assert [key.get_secret_value() for key in found.encryption_keys] == keys
    assert found.stores == ("foreign",)


def test_a_key_that_is_none_is_told_without_being_repeated(market: Market) -> None:
    market.keys[:] = ["not-a-key-but-secret"]
    market.configure()
    with pytest.raises(SettingsError, match="encryption_keys") as caught:
        load_settings()
    assert "not-a-key-but-secret" not in str(caught.value)


def test_a_store_that_has_a_channel_in_the_file_cannot_join_a_second_time(market: Market) -> None:
    more = '\n[channels.shop]\ntype = "bigcommerce"\nstore_hash = "abc123"\naccess_token = "x"\n'
    market.configure(more=more)
    with pytest.raises(SettingsError, match="it would be counted twice"):
        load_settings()


def everything_in(market: Market) -> Iterator[str]:
    """The whole keyspace, broker and all, as text."""
    client = market.store.client
    for key in client.scan_iter("*"):
        read = {
            "string": lambda key: client.get(key),
            "hash": lambda key: client.hgetall(key),
            "list": lambda key: client.lrange(key, 0, -1),
            "set": lambda key: client.smembers(key),
            "zset": lambda key: client.zrange(key, 0, -1),
            "stream": lambda key: client.xrange(key),
        }[client.type(key)]
        yield f"{key} {read(key)!r}"
