"""Stores install the marketplace app, open it and leave it, and every process keeps up with them: over real HTTP."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import requests

from channels import Level
from channels.bigcommerce.sandbox.login import SCOPES
from channels.diagnosis import Severity
from channels.errors import Denied
from channels.sandbox import served
from sync import tasks
from sync.errors import UnknownChannel
from sync.policy import rulebook
from sync.readings import Pulls
from sync.stock.ledger import Window
from sync.stock.records import Record
from sync.stores import KNOWN_EVERYWHERE_S
from sync.views import doctor
from sync.web.oauth import EXCHANGES
from tests.oauth.conftest import REDIRECT, Market, joined, levels


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


def test_the_webhooks_of_a_store_are_taken_once_it_is_installed(market: Market) -> None:
    market.configure(more='webhook_url = "https://sync.example.com"')
    market.restart()
    address = f"{market.receiver}/webhooks/store-abc123"
    market.install()
    assert requests.post(address, data=b"{}", timeout=10).status_code == 401  # known, and not signed


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
