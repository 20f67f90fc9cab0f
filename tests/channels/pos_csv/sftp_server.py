"""A real SSH server on the loopback whose SFTP folder is a folder on the disk, with the faults that tests ask for."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paramiko

USER, PASSWORD = "till", "open sesame"


class SftpServer:
    """Listens until it is closed.

    Parameters:
        root: What accounts see as ``/``.
    """

    def __init__(self, root: Path, key: paramiko.PKey) -> None:
        self.root = root
        self.key = key
        self.allowed_key: paramiko.PKey | None = None
        #: Whether the account may change anything.
        self.may_write = True
        #: Called with the name of each file that is opened for reading.
        self.on_open: Callable[[str], None] = lambda name: None
        #: Names of files that were opened, in order.
        self.opened: list[str] = []
        #: How many bytes of a file are given before the connection is cut; ``None``: all.
        self.cut_after: int | None = None
        self.logins = 0
        self.connections = 0
        self._transports: list[paramiko.Transport] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def hang_up(self) -> None:
        """Cut every connection."""
        for transport in self._transports:
            transport.close()

    def close(self) -> None:
        """Stop listening, and cut every connection."""
        if self._listener.fileno() == -1:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.hang_up()
        for transport in self._transports:
            transport.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            transport = paramiko.Transport(connection)
            self._transports.append(transport)
            transport.add_server_key(self.key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, self)
            try:
                transport.start_server(event=threading.Event(), server=_Door(self))
            except (paramiko.SSHException, EOFError):
                transport.close()


class _Door(paramiko.ServerInterface):
    """Who may come in."""

    def __init__(self, server: SftpServer) -> None:
        self.server = server

    def check_auth_password(self, username: str, password: str) -> int:
        return self._answer(self.server.allowed_key is None and (username, password) == (USER, PASSWORD))

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return self._answer(username == USER and key == self.server.allowed_key)

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def _answer(self, right: bool) -> int:
        self.server.logins += right
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED


class _Handle(paramiko.SFTPHandle):
    def __init__(self, files: _Files, path: Path) -> None:
        super().__init__()
        self.readfile = path.open("rb")
        self._server = files.server

    def read(self, offset: int, length: int) -> Any:
        if self._server.cut_after is not None and offset + length > self._server.cut_after:
            self._server.hang_up()
            return paramiko.SFTP_FAILURE
        return super().read(offset, length)


class _Files(paramiko.SFTPServerInterface):
    """The folder."""

    def __init__(self, door: _Door, server: SftpServer) -> None:
        super().__init__(door)
        self.server = server

    def list_folder(self, path: str) -> Any:
        try:
            folder = self._real(path)
            listed = [paramiko.SFTPAttributes.from_stat(entry.lstat(), entry.name) for entry in folder.iterdir()]
            for entry in listed:
                entry.filename = os.fsencode(entry.filename)  # as it is, be it text or not
            return listed
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._real(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    lstat = stat

    def open(self, path: str, flags: int, attr: object) -> Any:
        name = Path(path).name
        self.server.opened.append(name)
        self.server.on_open(name)
        try:
            return _Handle(self, self._real(path))
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    def rename(self, oldpath: str, newpath: str) -> int:
        if self._real(newpath).exists():
            return paramiko.SFTP_FAILURE
        return self._change(lambda: self._real(oldpath).rename(self._real(newpath)))

    def mkdir(self, path: str, attr: object) -> int:
        return self._change(self._real(path).mkdir)

    def remove(self, path: str) -> int:
        raise AssertionError("nothing may be removed")

    def _change(self, what: Callable[[], object]) -> int:
        if not self.server.may_write:
            return paramiko.SFTPServer.convert_errno(errno.EACCES)
        try:
            what()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return paramiko.SFTP_OK

    def _real(self, path: str) -> Path:
        return self.server.root / os.path.normpath(f"/{path}").lstrip("/")


@contextmanager
def serving(root: Path) -> Iterator[SftpServer]:
    """A server with a key of its own, for as long as the block runs."""
    server = SftpServer(root, paramiko.ECDSAKey.generate())
    try:
        yield server
    finally:
        server.close()
