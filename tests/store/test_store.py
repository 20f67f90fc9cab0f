"""The client of the store: scripts are found again, and no command is ever repeated."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from sync.storage import store as module
from sync.storage.store import BUCKETS, Call, Store, bucket_of, fold
from tests.conftest import TimedStore


def test_scripts_that_the_server_has_forgotten_are_brought_to_it_again(store: TimedStore) -> None:
    calls = [Call((f"turn-{number}", f"wish-{number}"), ["me", 1000]) for number in range(3)]
    store.run("turn_take", calls)
    store.client.script_flush()

    assert store.run("turn_take", calls) == [1, 1, 1]


def test_answers_come_in_the_order_of_the_calls(store: TimedStore) -> None:
    store.client.set("turn-1", "somebody else")
    store.client.script_flush()

    calls = [Call((f"turn-{number}", f"wish-{number}"), ["me", 1000]) for number in range(3)]
    assert store.run("turn_take", calls) == [1, 0, 1]


def test_the_clock_is_the_servers(data_dir: Path, store: TimedStore) -> None:
    real = Store(f"unix://{data_dir}/store.sock")
    first = real.now_ms()

    assert first <= real.now_ms()
    assert abs(first / 1000 - int(real.client.info("server")["server_time_usec"]) / 1e6) < 5
    real.close()


class Frozen:
    """A server that takes some words and never answers them, or hangs up on them, or has one answer for them."""

    def __init__(self, listener: socket.socket, *, deaf_to: Sequence[bytes], hangs_up: bool, answer: bytes) -> None:
        self.listener = listener
        self.deaf_to = deaf_to
        self.hangs_up = hangs_up
        self.answer = answer
        self.heard = b""
        self._held: list[socket.socket] = []

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                break
            self._held.append(connection)
            threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def _listen(self, connection: socket.socket) -> None:
        with suppress(OSError):  # closed by either side
            while words := connection.recv(65536):
                self.heard += words
                if any(word in words for word in self.deaf_to):
                    if self.hangs_up:
                        connection.close()
                        return
                    connection.sendall(self.answer)
                else:  # the handshake
                    connection.sendall(b"+PONG\r\n" if b"PING" in words else b"+OK\r\n" * words.count(b"*"))

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self._held:
            connection.close()


@contextmanager
def frozen(path: Path, *deaf_to: bytes, hangs_up: bool = False, answer: bytes = b"") -> Iterator[Frozen]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        server = Frozen(listener, deaf_to=deaf_to, hangs_up=hangs_up, answer=answer)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.close()
            thread.join()


def incr(store: Store) -> None:
    store.client.incr("sales")


def run(store: Store) -> None:
    store.run("turn_take", [Call(("turn", "wish"), ["me", 1000])])


@pytest.mark.parametrize("hangs_up", [False, True], ids=["frozen", "hanging up"])
@pytest.mark.parametrize(("command", "word"), [(incr, b"INCR"), (run, b"EVALSHA")], ids=["a command", "a script"])
def test_what_was_not_answered_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[[Store], None], word: bytes, hangs_up: bool
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    with frozen(tmp_path / "s", word, hangs_up=hangs_up) as server:
        store = Store(f"unix://{tmp_path}/s?protocol=2")
        with pytest.raises((redis.TimeoutError, redis.ConnectionError)):
            command(store)
        store.close()

        assert server.heard.count(word) == 1


def test_a_store_that_loads_its_file_says_so(tmp_path: Path) -> None:
    with frozen(tmp_path / "s", b"PING", answer=b"-LOADING the dataset is being loaded\r\n"):
        store = Store(f"unix://{tmp_path}/s?protocol=2")
        with pytest.raises(redis.BusyLoadingError):
            store.client.incr("sales")
        store.close()


def test_an_answer_out_of_step_is_a_connection_error(tmp_path: Path) -> None:
    with frozen(tmp_path / "s", b"PING", answer=b"+OK\r\n"):
        store = Store(f"unix://{tmp_path}/s?protocol=2")
        with pytest.raises(redis.ConnectionError):
            store.client.incr("sales")
        store.close()


@given(st.text())
def test_trimmed_and_case_folded_skus_are_one(sku: str) -> None:
    assert fold(f"  {fold(sku)}\t") == fold(sku)
    assert fold(sku.strip()) == fold(sku)


@given(st.text().map(fold))
def test_every_name_has_its_bucket(name: str) -> None:
    assert 0 <= bucket_of(name) < BUCKETS


def test_buckets_are_part_of_the_data_and_never_change() -> None:
    assert [bucket_of(name) for name in ("a", "sku-1", "ä", "")] == [3, 14, 3, 0]
