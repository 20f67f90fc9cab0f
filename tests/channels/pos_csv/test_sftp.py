"""Files on an SFTP server: the right server, each file once, nothing lost there before it is safe here."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

pytest.importorskip("paramiko")
import paramiko

from channels.errors import Denied, Rejected, Unreachable
from channels.pos_csv import PosCsvSettings

from .conftest import Shop
from .sftp_server import PASSWORD, USER, SftpServer, serving

Table = Callable[..., str]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    (tmp_path / "remote" / "export").mkdir(parents=True)
    with serving(tmp_path / "remote") as server:
        yield server


class Remote:
    """The till that exports to the server, and the settings that read it."""

    def __init__(self, server: SftpServer, shop: Shop) -> None:
        self.server = server
        self.shop = shop
        self.path = server.root / "export"
        self.settings: dict[str, object] = {
            "sftp_host": "127.0.0.1",
            "sftp_port": server.port,
            "sftp_user": USER,
            "sftp_password": PASSWORD,
            "sftp_fingerprint": server.key.fingerprint,
            "sftp_folder": "export",
        }

    def drop(self, name: str, content: str, *, age_s: float = 0.0) -> Path:
        file = self.path / name
        file.write_text(content)
        at = int(self.shop.clock().timestamp() - age_s)
        os.utime(file, (at, at))
        return file

    def levels(self, **more: object) -> dict[str, int]:
        return self.shop.levels(**(self.settings | more))

    def files(self, below: str = "") -> list[str]:
        return sorted(file.name for file in (self.path / below).iterdir() if file.is_file())


@pytest.fixture
def remote(server: SftpServer, shop: Shop) -> Remote:
    return Remote(server, shop)


def test_a_file_is_fetched_and_read_as_if_the_till_had_exported_it_here(remote: Remote, table: Table) -> None:
    file = remote.drop("stock.csv", table(A=3), age_s=60)
    (page,) = remote.shop.read(**remote.settings)
    assert [(row.sku, row.units) for row in page.levels] == [("A", 3)]
    assert page.source == "stock.csv"
    assert page.as_of is not None
    assert page.as_of.timestamp() == file.stat().st_mtime


def test_a_file_stays_on_the_server_until_it_was_applied_here_and_is_then_moved_away(
    remote: Remote, table: Table
) -> None:
    remote.drop("stock.csv", table(A=3))
    pages = remote.shop.channel(**remote.settings).read_all()
    next(pages)
    assert remote.files() == ["stock.csv"]
    assert list(pages) == []
    assert remote.levels() == {}
    assert remote.files() == []
    (moved,) = remote.files("processed")
    assert moved.endswith("_stock.csv")
    assert (remote.path / "processed" / moved).read_text() == table(A=3)
    assert remote.server.opened == ["stock.csv"]


def test_a_file_whose_reader_died_is_not_moved_on_the_server(remote: Remote, table: Table) -> None:
    remote.drop("stock.csv", table(**{f"SKU{n}": n for n in range(1_500)}))
    pages = remote.shop.channel(**remote.settings).read_all()
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    second = remote.shop.channel(**remote.settings).read_all()
    assert len(next(second).levels) == 1_000
    assert remote.files() == ["stock.csv"]
    assert sum(len(page.levels) for page in second) == 500
    assert remote.server.opened == ["stock.csv"]


def test_a_file_that_was_set_aside_is_moved_away_too(remote: Remote) -> None:
    remote.drop("stock.csv", "nonsense")
    assert remote.shop.problems(**remote.settings)
    assert remote.levels() == {}
    assert len(remote.files("processed")) == 1
    assert len(remote.shop.files("failed")) == 2


def test_files_that_may_not_be_moved_are_remembered(remote: Remote, table: Table) -> None:
    remote.server.may_write = False
    remote.drop("stock.csv", table(A=3), age_s=60)
    assert remote.levels() == {"A": 3}
    for _ in range(3):
        assert remote.levels() == {}
    assert remote.server.opened == ["stock.csv"]
    remote.drop("stock.csv", table(A=2))
    assert remote.levels() == {"A": 2}
    assert remote.files() == ["stock.csv"]


def test_files_are_left_where_they_are_when_that_is_wanted(remote: Remote, table: Table) -> None:
    remote.drop("stock.csv", table(A=3))
    assert remote.levels(sftp_processed="") == {"A": 3}
    assert remote.levels(sftp_processed="") == {}
    assert os.listdir(remote.path) == ["stock.csv"]


def test_a_worker_that_forgot_what_it_fetched_applies_nothing_twice(remote: Remote, table: Table) -> None:
    remote.server.may_write = False
    remote.drop("stock.csv", table(A=3))
    remote.levels()
    (remote.shop.path / ".state" / "fetched.json").unlink()
    assert remote.levels() == {}
    assert remote.server.opened == ["stock.csv", "stock.csv"]


def test_a_newer_file_of_the_same_name_waits_until_the_first_was_read(remote: Remote, table: Table) -> None:
    remote.shop.drop("stock.csv", table(A=3), age_s=60)
    remote.drop("stock.csv", table(A=2))
    assert remote.levels() == {"A": 3}
    assert remote.levels() == {"A": 2}


def test_a_file_that_came_over_the_one_that_was_read_is_not_moved_but_fetched(remote: Remote, table: Table) -> None:
    remote.drop("stock.csv", table(A=3), age_s=60)
    assert remote.levels() == {"A": 3}
    remote.drop("stock.csv", table(A=2))
    assert remote.levels() == {"A": 2}
    assert remote.files() == ["stock.csv"]


@pytest.mark.parametrize("name", [".stock.csv", "stock.csv.filepart", "a.txt", "a\nb.csv", "~stock.csv"])
def test_hidden_unfinished_and_foreign_names_are_left_alone(remote: Remote, table: Table, name: str) -> None:
    remote.drop(name, table(A=3))
    assert remote.levels() == {}
    assert remote.server.opened == []


def test_a_name_that_is_not_text_is_told_with_what_to_do(remote: Remote, table: Table) -> None:
    remote.drop("stock.csv", table(A=3))
    remote.drop(os.fsdecode(b"Best\xe4nde.csv"), table(B=1))
    with pytest.raises(Rejected, match=r"a name that is not in UTF-8.*Rename it there"):
        remote.levels()


def test_no_name_of_the_folders_own_and_no_link_is_fetched(remote: Remote, table: Table) -> None:
    remote.drop("failed", table(A=3))
    (remote.path / "link.csv").symlink_to("/etc/passwd")
    assert remote.levels(pattern="*") == {}
    assert not (remote.shop.path / "failed").exists()


def test_a_file_that_grows_is_left_for_later(remote: Remote, table: Table) -> None:
    file = remote.drop("stock.csv", table(A=3))
    channel = remote.shop.channel(**remote.settings, quiet_s=5)
    pauses: list[float] = []

    def grow(seconds: float) -> None:
        pauses.append(seconds)
        with file.open("a") as writer:
            writer.write("B,4\n")

    channel.pause = grow
    assert list(channel.read_all()) == []
    assert (pauses, remote.server.opened) == ([5.0], [])
    channel.pause = pauses.append
    assert [row.sku for page in channel.read_all() for row in page.levels] == ["A", "B"]


def test_a_file_that_changes_while_it_is_fetched_is_left_for_later(remote: Remote, table: Table) -> None:
    file = remote.drop("stock.csv", table(A=3))

    def grow(name: str) -> None:
        remote.server.on_open = lambda name: None
        with file.open("a") as writer:
            writer.write("B,4\n")

    remote.server.on_open = grow
    assert remote.levels() == {}
    assert remote.shop.files() == []
    assert remote.levels() == {"A": 3, "B": 4}


def test_a_connection_that_breaks_in_the_middle_leaves_nothing_and_is_told(remote: Remote, table: Table) -> None:
    remote.drop("stock.csv", table(**{f"SKU{n}": n for n in range(20_000)}))
    remote.server.cut_after = 100_000
    with pytest.raises(Unreachable, match=r"fetch stock\.csv"):
        remote.levels()
    assert remote.shop.files() == []
    remote.server.cut_after = None
    assert len(remote.levels()) == 20_000


def test_what_was_fetched_before_is_read_though_the_server_is_away(remote: Remote, table: Table) -> None:
    remote.shop.drop("stock.csv", table(A=3))
    remote.server.close()
    pages = remote.shop.channel(**remote.settings).read_all()
    assert [row.sku for row in next(pages).levels] == ["A"]
    with pytest.raises(Unreachable):
        next(pages)
    assert len(remote.shop.files("processed")) == 1


def test_a_file_beyond_the_limit_is_not_fetched_and_told(remote: Remote, table: Table) -> None:
    remote.drop("stock.csv", table(A=3, B=4))
    ((where, reason),) = remote.shop.problems(**remote.settings, max_bytes=10)
    assert (where, "larger than 10 bytes" in reason) == ("stock.csv", True)
    assert remote.server.opened == []


def test_a_server_with_another_key_is_refused_before_the_password_is_sent(remote: Remote, table: Table) -> None:
    remote.drop("stock.csv", table(A=3))
    other = paramiko.ECDSAKey.generate().fingerprint
    with pytest.raises(Denied, match="shows a key that is not known, SHA256:"):
        remote.levels(sftp_fingerprint=other)
    assert (remote.server.connections, remote.server.logins) == (1, 0)


def known_hosts(path: Path, remote: Remote, key: paramiko.PKey) -> dict[str, object]:
    path.write_text(f"[127.0.0.1]:{remote.server.port} {key.get_name()} {key.get_base64()}\n")
    return {"sftp_fingerprint": None, "sftp_known_hosts": path}


def test_a_server_is_known_by_a_file_of_known_hosts(remote: Remote, table: Table, tmp_path: Path) -> None:
    remote.drop("stock.csv", table(A=3))
    more = known_hosts(tmp_path / "known_hosts", remote, remote.server.key)
    assert remote.levels(**more) == {"A": 3}
    assert remote.server.logins == 1


def test_a_server_that_is_not_in_that_file_or_has_changed_is_refused(remote: Remote, tmp_path: Path) -> None:
    more = known_hosts(tmp_path / "known_hosts", remote, paramiko.ECDSAKey.generate())
    with pytest.raises(Denied, match="sftp_known_hosts"):
        remote.levels(**more)
    (tmp_path / "known_hosts").write_text("")
    with pytest.raises(Denied, match="not known"):
        remote.levels(**more)
    assert remote.server.logins == 0


def test_a_wrong_password_is_denied_and_not_repeated_in_words(remote: Remote) -> None:
    with pytest.raises(Denied, match="sftp_password") as caught:
        remote.levels(sftp_password="guess")
    assert "guess" not in str(caught.value)


@pytest.mark.parametrize("secret", [None, "of the key"])
def test_a_private_key_opens_the_door(remote: Remote, table: Table, tmp_path: Path, secret: str | None) -> None:
    remote.drop("stock.csv", table(A=3))
    remote.server.allowed_key = key = paramiko.ECDSAKey.generate()
    text = io.StringIO()
    key.write_private_key(text, password=secret)
    (tmp_path / "id").write_text(text.getvalue())
    assert remote.levels(sftp_key_file=tmp_path / "id", sftp_password=secret) == {"A": 3}


def test_a_missing_folder_or_key_file_is_said(remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="sftp_folder"):
        remote.levels(sftp_folder="elsewhere")
    with pytest.raises(Rejected, match="sftp_key_file"):
        remote.levels(sftp_key_file=tmp_path / "none")


@pytest.mark.parametrize(
    "wrong",
    [
        {"sftp_user": None},
        {"sftp_password": None},
        {"sftp_fingerprint": None},
        {"sftp_known_hosts": "known_hosts"},
        {"sftp_fingerprint": "aa:bb"},
        {"s3_bucket": "b"},
        {"writes": True},
    ],
)
def test_settings_that_lack_a_proof_or_contradict_each_other_are_refused(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    right = {"sftp_host": "h", "sftp_user": "u", "sftp_password": "p", "sftp_fingerprint": "SHA256:x"}
    PosCsvSettings.model_validate({"type": "pos_csv", "path": tmp_path} | right)
    with pytest.raises(ValidationError):
        PosCsvSettings.model_validate({"type": "pos_csv", "path": tmp_path} | right | wrong)


def test_secrets_are_not_shown(remote: Remote) -> None:
    assert PASSWORD not in repr(remote.shop.channel(**remote.settings).settings)
