"""What a person did wrong, or what is wrong outside: one clear line, a non-zero exit, and no change of stock."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from channels.sandbox import Fault
from tests.processes.conftest import CELERY, Shop, environment


def assert_one_line(err: str, *words: str) -> None:
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1, err
    for word in words:
        assert word in lines[0], err


def test_a_wrong_token_says_what_to_check(shop: Shop) -> None:
    shop.store.store.add("MUG", 10)
    shop.configure(shop.settings.replace(f'access_token = "{shop.store.store.token}"', 'access_token = "wrong-one"'))
    with shop.worker():
        ran = shop.run("reconcile", "--channel", "store", "--watch", "--timeout", "30")
    assert ran.code == 1
    assert_one_line(ran.err, "store", "401", "access_token")
    assert "wrong-one" not in ran.out + ran.err + (shop.folder / "worker.log").read_text()
    assert shop.stock() == {}


def test_a_store_that_does_not_answer_is_named(shop: Shop) -> None:
    shop.store.store.add("MUG", 10)
    shop.amazon.account.put("MUG", 10)
    with shop.worker():
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
        before = shop.stock()
        shop.store.faults.add(Fault("hang up"))
        ran = shop.run("reconcile", "--channel", "store", "--watch", "--timeout", "30")
    assert ran.code == 1
    assert_one_line(ran.err, "store", "connection")
    assert shop.stock() == before


def test_a_malformed_till_file_is_set_aside_and_changes_nothing(shop: Shop) -> None:
    (shop.folder / "pos").mkdir()
    shop.store.store.add("MUG", 10)
    shop.configure(shop.settings + '\n[channels.till]\ntype = "pos_csv"\npath = "pos"\nquiet_s = 0\n')
    with shop.worker():
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
        before = shop.stock()
        (shop.folder / "pos" / "stock.csv").write_text('sku,quantity\n"MUG,3\n', "utf-8")
        ran = shop.run("reconcile", "--channel", "till", "--watch", "--timeout", "30")
        assert ran.code == 1
        assert_one_line(ran.err, "hold 1", "set aside", "celery -A sync holds")
        assert shop.stock() == before
    assert list((shop.folder / "pos" / "failed").rglob("*stock.csv"))
    assert "stock.csv" in (shop.folder / "worker.log").read_text()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("store_hash", "store_hsah"), ("channels.store.store_hash: is missing",)),
        (('type = "amazon"', 'type = "amzon"'), ("channels.amazon.type", "'amazon'")),
        (("settle_s = 0.2", 'settle_s = "soon"'), ("channels.store.settle_s", "number")),
        (("[channels.store]", "[channels.store"), ("sync.toml",)),
    ],
)
@pytest.mark.parametrize("command", [("stock",), ("worker",), ("call", "sync.reconcile")])
def test_a_typo_in_the_settings_names_file_and_key(
    shop: Shop, change: tuple[str, str], words: tuple[str, ...], command: tuple[str, ...]
) -> None:
    shop.configure(shop.settings.replace(*change, 1))
    ran = shop.run(*command)
    assert ran.code != 0
    assert "Traceback" not in ran.err
    for word in (str(shop.folder / "sync.toml"), *words):
        assert word in ran.err
    for secret in (shop.store.store.token, shop.amazon.gate.refresh_token):
        assert secret not in ran.out + ran.err


def test_no_worker_is_said_instead_of_waiting_for_ever(shop: Shop) -> None:
    shop.store.store.add("MUG", 10)
    ran = shop.run("reconcile", "--watch", "--timeout", "30")
    assert ran.code == 1
    assert_one_line(ran.err, "no worker answers", "celery -A sync worker")


def test_a_store_of_record_that_is_not_there_is_said(shop: Shop) -> None:
    ran = shop.run("stock", env={"SYNC_REDIS_URL": "redis://127.0.0.1:1"})
    assert ran.code == 1
    assert_one_line(ran.err, "the store does not answer", "redis_url")


def test_an_unknown_channel_or_sku_is_said(shop: Shop) -> None:
    assert_one_line(shop.run("reconcile", "--channel", "shop").err, "there is no channel 'shop'", "store, amazon")
    ran = shop.run("history", "NOPE")
    assert ran.code == 1
    assert_one_line(ran.err, "NOPE is not known on any channel")


def test_a_sku_that_is_not_known_is_said_and_a_known_one_is_shown_once(shop: Shop) -> None:
    shop.store.store.add("MUG", 10)
    shop.amazon.account.put("MUG", 10)
    with shop.worker():
        assert shop.run("reconcile", "--watch", "--timeout", "30").code == 0
    assert_one_line(shop.run("stock", "NOPE").err, "NOPE: not known on any channel")
    assert shop.run("stock", "MUG", "mug").out.count("MUG") == 1


@pytest.mark.parametrize("words", [("stock",), ("stock", "--json"), ("doctor",)])
def test_a_full_disk_behind_the_output_is_said_in_one_line(shop: Shop, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run([*CELERY, *words], cwd=shop.folder, env=environment(), stdout=full, stderr=subprocess.PIPE)
    assert ran.returncode != 0
    assert_one_line(ran.stderr.decode(), "No space left on device")


@pytest.mark.parametrize("words", ["stock", "stock --json", "doctor"])
def test_an_output_that_is_closed_is_said_in_one_line(shop: Shop, words: str) -> None:
    ran = subprocess.run(
        ["sh", "-c", f'exec "$@" {words} >&-', "sh", *CELERY],
        cwd=shop.folder,
        env=environment(),
        stderr=subprocess.PIPE,
    )
    assert ran.returncode == 1
    assert_one_line(ran.stderr.decode(), "standard output is closed", "/dev/null")


def test_a_terminal_that_knows_ascii_alone_shows_what_it_can(shop: Shop) -> None:
    shop.store.store.add("재고", 3)
    with shop.worker():
        assert shop.run("reconcile", "--watch", "--timeout", "30", "--channel", "store").code == 0
    ran = subprocess.run(
        [*CELERY, "stock"], cwd=shop.folder, env=environment() | {"PYTHONIOENCODING": "ascii"}, capture_output=True
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert rb"\uc7ac\uace0" in ran.stdout


@pytest.mark.parametrize("words", [("call", "sync.reconcile"), ("reconcile",), ("recover",), ("retry",)])
def test_a_broker_that_does_not_answer_is_said_in_one_line(shop: Shop, words: tuple[str, ...]) -> None:
    shop.configure('broker_url = "amqp://merchant:its-password@127.0.0.1:1//"\n' + shop.settings)
    ran = shop.run(*words)
    if words == ("retry",):  # there is nothing to ring for
        assert (ran.code, ran.err) == (0, "")
    else:
        assert ran.code == 1
        assert_one_line(ran.err, "the broker does not answer", "broker_url")
    assert "its-password" not in ran.out + ran.err


@pytest.mark.parametrize("option", ["--store-port", "--amazon-port"])
def test_a_port_that_the_sandbox_cannot_have_is_said_in_one_line(shop: Shop, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ran = shop.run("sandbox", "--store-port", "0", "--amazon-port", "0", option, port)
    assert ran.code == 1
    assert_one_line(ran.err, f"cannot listen on 127.0.0.1:{port}", "Address already in use")
