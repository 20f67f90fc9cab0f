"""Stores install the marketplace app, open it and leave it: over real HTTP, with nothing in clear and nothing mixed."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import requests
from cryptography.fernet import Fernet

from channels import Level
from channels.bigcommerce.sandbox.login import SCOPES
from channels.diagnosis import Severity
from channels.errors import Denied
from channels.sandbox import Fault, served
from sync import tasks
from sync.context import Context
from sync.errors import SettingsError, UnknownChannel
from sync.policy import rulebook
from sync.pull import Pulls
from sync.settings import load_settings
from sync.stock.ledger import Window
from sync.stock.records import Record
from sync.stores import KNOWN_EVERYWHERE_S
from sync.views import doctor
from sync.web.oauth import EXCHANGES
from tests.oauth.conftest import CLIENT_SECRET, REDIRECT, Market


def levels(context: Context, channel: str) -> dict[str, int]:
    return {row.sku: row.units for page in context.channel(channel).read_all() for row in page.levels}


def joined(context: Context) -> list[str]:
    return [name for name in context.channels if name != "till"]


def test_an_installed_store_becomes_a_channel_of_every_process(market: Market) -> None:
    market.at("abc123").add("MUG", 3)
    other = market.process()
    assert joined(other) == []
    answer = market.install()
    assert answer.status_code == 200
    assert "connected as store-abc123" in answer.text
    other.keep_up()
    assert joined(other) == ["store-abc123"]
    assert levels(other, "store-abc123") == {"MUG": 3}
    assert other.ledger.roster.writable == ("store-abc123",)
    assert joined(market.process()) == ["store-abc123"]


def test_the_code_is_exchanged_as_it_is_documented(market: Market) -> None:
    market.install()
    (asked,) = market.login.asked
    assert set(asked) == {"client_id", "client_secret", "code", "context", "scope", "grant_type", "redirect_uri"}
    assert asked["grant_type"] == "authorization_code"
    assert asked["redirect_uri"] == REDIRECT
    assert (asked["context"], asked["scope"]) == ("stores/abc123", SCOPES)


def test_what_is_to_be_done_stands_in_the_store_before_anybody_is_rung_for(market: Market) -> None:
    market.install()
    assert Pulls(market.store).state("store-abc123").wanted_ms
    assert market.store.client.llen("is:celery:pull") == 1


def test_stores_side_by_side_have_tokens_and_budgets_of_their_own(market: Market) -> None:
    market.at("abc123").add("A", 1)
    market.at("def456").add("B", 2)
    market.install("abc123")
    market.install("def456")
    context = market.process()
    assert joined(context) == ["store-abc123", "store-def456"]
    assert levels(context, "store-abc123") == {"A": 1}
    assert levels(context, "store-def456") == {"B": 2}
    tokens = {context.channel(name).settings.access_token.get_secret_value() for name in joined(context)}
    assert tokens == {market.at("abc123").token, market.at("def456").token}
    budgets = {context.channel(name).services.budget.name for name in joined(context)}
    assert len(budgets) == 2


def test_a_token_that_was_issued_anew_replaces_the_old_one_everywhere(market: Market) -> None:
    market.install()
    other = market.process()
    before = other.channel("store-abc123")
    market.install()
    with pytest.raises(Denied):
        list(before.read_all())
    other.keep_up()
    assert other.channel("store-abc123") is not before
    assert levels(other, "store-abc123") == {}


def test_news_of_one_store_leaves_the_adapters_of_others_as_they_are(market: Market) -> None:
    market.install("abc123")
    other = market.process()
    first, till = other.channel("store-abc123"), other.channel("till")
    market.install("def456")
    other.keep_up()
    assert other.channel("store-abc123") is first
    assert other.channel("till") is till


def test_a_person_opens_the_app(market: Market) -> None:
    assert "has not installed the app" in market.signed("load").text
    market.install()
    answer = market.signed("load")
    assert answer.status_code == 200
    assert "connected as store-abc123" in answer.text
    assert market.signed("load", algorithm="HS512").status_code == 200
    assert market.signed("remove_user").status_code == 200


def test_an_uninstalled_store_is_called_no_more_and_its_listings_are_kept(market: Market) -> None:
    market.install()
    other = market.process()
    now_ms = other.store.now_ms()
    can = other.channel("store-abc123").capabilities
    other.ledger.merge("store-abc123", [Level("MUG", "p1", 3)], Window(now_ms, now_ms), can, cause="a test")
    calls = len(market.stores["abc123"].requests)
    answer = market.get("uninstall", market.login.uninstall(market.at("abc123")))
    assert answer.status_code == 200
    other.keep_up()
    assert joined(other) == []
    assert other.has_left("store-abc123")
    with pytest.raises(UnknownChannel):
        other.channel("store-abc123")
    (record,) = other.ledger.records(["MUG"])
    assert record.listings["store-abc123"].level == 3
    installed = other.stores.get("abc123")
    assert installed is not None
    assert installed.token == ""
    assert len(market.stores["abc123"].requests) == calls


def test_a_task_whose_store_leaves_meanwhile_ends_and_troubles_nobody(
    market: Market, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    market.install()
    context = market.process()
    assert joined(context) == ["store-abc123"]
    monkeypatch.setattr(tasks, "app", SimpleNamespace(context=context, leaving=False, keep_up=context.keep_up))
    monkeypatch.setattr(tasks, "bells", Mock())
    market.stores["abc123"].store.add("MUG", 3)

    def leaves(_deadline: object) -> bool:
        market.get("uninstall", market.login.uninstall(market.at("abc123")))
        return bool(levels(context, "store-abc123"))

    tasks._guarded("sync.pull", "store-abc123", leaves)
    assert joined(context) == []
    assert context.breaker.trouble("store-abc123") is None
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    calls = len(market.stores["abc123"].requests)
    tasks.pull(channel="store-abc123")
    assert "nothing is done there" in caplog.text
    assert len(market.stores["abc123"].requests) == calls


def test_a_store_that_comes_again_is_looked_through_anew(market: Market) -> None:
    market.install()
    market.get("uninstall", market.login.uninstall(market.at("abc123")))
    market.store.client.set("is:rules:store-abc123", "as they were")
    market.install()
    assert rulebook.have_changed(market.process(), "store-abc123")
    assert joined(market.process()) == ["store-abc123"]


def test_listings_are_looked_at_once_more_when_every_process_knows_the_store(market: Market) -> None:
    market.install()
    stores = market.process().stores
    now_ms = stores.store.now_ms()
    assert stores.to_be_looked_at(now_ms) == []
    later_ms = now_ms + round(KNOWN_EVERYWHERE_S * 1000) + 1000
    (one,) = stores.to_be_looked_at(later_ms)
    stores.looked(one)
    assert stores.to_be_looked_at(later_ms) == []


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


def test_codes_that_nobody_answers_for_leave_threads_to_others(market: Market) -> None:
    let_go = threading.Event()
    arrived = threading.Semaphore(0)

    def hang(_environ, start_response):
        arrived.release()
        let_go.wait(30)
        start_response("500 Internal Server Error", [("Content-Length", "0")])
        return []

    query = market.login.install(market.at("abc123"))
    with served(hang) as login_url, ThreadPoolExecutor(EXCHANGES) as browsers:
        market.configure(login_url=login_url)
        market.restart()
        waiting = [browsers.submit(market.get, "auth", query) for _ in range(EXCHANGES)]
        for _ in waiting:
            assert arrived.acquire(timeout=20)
        assert market.get("auth", query).status_code == 503
        assert market.signed("load").status_code == 200
        let_go.set()
        assert [answer.result().status_code for answer in waiting] == [502] * EXCHANGES


def test_threads_of_one_process_keep_up_together(market: Market) -> None:
    other = market.process()
    assert joined(other) == []
    over = threading.Event()

    def work() -> int:
        looks = 0
        while not over.is_set() or looks == 0:
            other.keep_up()
            assert "till" in other.policy.targets(Record("a", "A", 5, 1, "", {}))
            assert set(other.ledger.roster.writable) <= {"store-abc123", "store-def456"}
            looks += 1
        return looks

    with ThreadPoolExecutor(6) as threads:
        looking = [threads.submit(work) for _ in range(6)]
        for _ in range(3):
            market.install("abc123")
            market.install("def456")
            market.get("uninstall", market.login.uninstall(market.at("def456")))
        over.set()
        assert all(thread.result() for thread in looking)
    other.keep_up()
    assert joined(other) == ["store-abc123"]
    assert levels(other, "store-abc123") == {}


def test_a_store_that_nobody_admitted_waits_and_is_not_called(market: Market) -> None:
    answer = market.install("foreign")
    assert answer.status_code == 200
    assert "not admitted yet" in answer.text
    context = market.process()
    assert joined(context) == []
    assert market.stores["foreign"].requests == []
    market.configure(stores=["foreign"])
    assert joined(market.process()) == ["store-foreign"]


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


def test_the_webhooks_of_a_store_are_taken_once_it_is_installed(market: Market) -> None:
    market.configure(more='webhook_url = "https://sync.example.com"')
    market.restart()
    address = f"{market.receiver}/webhooks/store-abc123"
    market.install()
    assert requests.post(address, data=b"{}", timeout=10).status_code == 401  # known, and not signed


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


def test_the_authority_may_be_a_store_that_has_yet_to_install_the_app(market: Market) -> None:
    text = (market.folder / "sync.toml").read_text()
    till = '[channels.till]\ntype = "pos_csv"\npath = "pos"\n'
    (market.folder / "sync.toml").write_text(text.replace(till, "").replace('"till"', '"store-abc123"'))
    context = market.process()
    assert list(context.channels) == []
    market.install()
    context.keep_up()
    assert list(context.channels) == ["store-abc123"]


def test_the_doctor_finds_stores_that_wait(market: Market) -> None:
    market.install("foreign")
    rows = list(doctor.installed(market.process()))
    assert [row.severity for row in rows] == [Severity.NOTE]
    assert "foreign" in rows[0].what


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
