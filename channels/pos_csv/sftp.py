"""Files on an SFTP server. Needs the extra ``sftp`` (paramiko).

The server must prove who it is, by its key, before anything is sent to it; an unknown key is never accepted.
"""

from __future__ import annotations

import contextlib
import logging
import posixpath
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

import paramiko  # type: ignore[import-not-found, import-untyped, unused-ignore]

from channels.errors import Denied, Rejected, Unreachable
from channels.pos_csv import times
from channels.pos_csv.fetching import Changed, Remote
from channels.pos_csv.places import PlaceSettings

logger = logging.getLogger(__name__)

#: How long the server may take to answer, in seconds.
TIMEOUT_S = 20.0

_KEY_ADVICE = (
    "If the server is the right one, put its key into the file that sftp_known_hosts names, or its fingerprint into "
    "sftp_fingerprint; ask whoever runs it."
)
_LOGIN_ADVICE = "Check sftp_user and sftp_password or sftp_key_file."


class UnknownServer(paramiko.SSHException):  # type: ignore[misc, unused-ignore]
    """The server's key is not the one that the settings name."""


class _OnlyThis(paramiko.MissingHostKeyPolicy):  # type: ignore[misc, unused-ignore]
    """Lets in the server with this fingerprint; without one, no server that is not known."""

    def __init__(self, fingerprint: str | None) -> None:
        self._fingerprint = (fingerprint or "").rstrip("=")

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        shown = key.fingerprint.rstrip("=")
        if not self._fingerprint or shown != self._fingerprint:
            raise UnknownServer(f"{hostname} shows a key that is not known, {shown} ({key.get_name()})")


class SftpSource:
    """One folder of an SFTP server.

    Parameters:
        channel: The channel's name, for errors.
    """

    def __init__(self, channel: str, settings: PlaceSettings) -> None:
        self._channel = channel
        self._settings = settings

    @contextlib.contextmanager
    def open(self) -> Iterator[SftpPlace]:
        """Connect, and disconnect in the end."""
        settings = self._settings
        client = paramiko.SSHClient()
        try:
            with _told(self._channel, "connect to the SFTP server"):
                if settings.sftp_known_hosts:
                    client.load_system_host_keys(str(settings.sftp_known_hosts))
                client.set_missing_host_key_policy(_OnlyThis(settings.sftp_fingerprint))
                password = settings.sftp_password.get_secret_value() if settings.sftp_password else None
                client.connect(
                    settings.sftp_host,
                    settings.sftp_port,
                    settings.sftp_user,
                    password=None if settings.sftp_key_file else password,
                    key_filename=str(settings.sftp_key_file) if settings.sftp_key_file else None,
                    passphrase=password if settings.sftp_key_file else None,
                    allow_agent=False,
                    look_for_keys=False,
                    timeout=TIMEOUT_S,
                    banner_timeout=TIMEOUT_S,
                    auth_timeout=TIMEOUT_S,
                )
                sftp = client.open_sftp()
                sftp.get_channel().settimeout(TIMEOUT_S)
            yield SftpPlace(self._channel, settings, sftp)
        finally:
            client.close()


class SftpPlace:
    """The folder while it is connected. See :class:`channels.pos_csv.fetching.Place`."""

    whole = False

    def __init__(self, channel: str, settings: PlaceSettings, sftp: Any) -> None:
        self._channel = channel
        self._settings = settings
        self._sftp = sftp

    def files(self) -> list[Remote]:
        """See :meth:`Place.files`. Only plain files: no link is followed."""
        with _told(self._channel, f"list {self._settings.sftp_folder}"):
            listed = self._sftp.listdir_attr(self._settings.sftp_folder)
        return [_remote(entry.filename, entry) for entry in listed if stat.S_ISREG(entry.st_mode or 0)]

    def fetch(self, remote: Remote, out: BinaryIO) -> None:
        """See :meth:`Place.fetch`."""
        path = self._path(remote.name)
        with _told(self._channel, f"fetch {remote.name}"):
            try:
                with self._sftp.open(path, "rb") as file:
                    file.prefetch(remote.size)
                    left = remote.size + 1
                    while left > 0 and (chunk := file.read(min(left, 1 << 18))):
                        left -= len(chunk)
                        out.write(chunk)
                after = _remote(remote.name, self._sftp.stat(path))
            except FileNotFoundError as error:
                raise Changed(remote.name) from error
        if after != remote:
            raise Changed(remote.name)

    def retire(self, remote: Remote) -> bool:
        """See :meth:`Place.retire`. An SFTP rename replaces nothing."""
        if not self._settings.sftp_processed:
            return False
        folder = self._path(self._settings.sftp_processed)
        written = times.stamp(datetime.fromtimestamp(remote.mtime, UTC))
        source, target = self._path(remote.name), posixpath.join(folder, f"{written}_{remote.name}")
        with _told(self._channel, f"move {remote.name}"):
            try:
                self._make(folder)
                self._sftp.rename(source, target)
                if _remote(remote.name, self._sftp.stat(target)) != remote:
                    self._sftp.rename(target, source)  # a newer one of this name came just now
                    return False
            except (TimeoutError, ConnectionError):
                raise
            except OSError as error:
                logger.warning(
                    "a remote file that was read cannot be moved and is remembered instead",
                    extra={"channel": self._channel, "file": remote.name, "why": str(error)},
                )
                return False
        return True

    def _make(self, folder: str) -> None:
        try:
            self._sftp.stat(folder)
        except FileNotFoundError:
            self._sftp.mkdir(folder)

    def _path(self, name: str) -> str:
        return posixpath.join(self._settings.sftp_folder, name)


def _remote(name: str, entry: Any) -> Remote:
    size, mtime = entry.st_size or 0, entry.st_mtime or 0
    return Remote(name, f"{size} {mtime}", size, mtime)


@contextlib.contextmanager
def _told(channel: str, operation: str) -> Iterator[None]:
    """Trouble with the server, named by what to do about it."""
    try:
        yield
    except paramiko.AuthenticationException as error:
        raise Denied(channel, operation, str(error), advice=_LOGIN_ADVICE) from error
    except (UnknownServer, paramiko.BadHostKeyException) as error:
        raise Denied(channel, operation, str(error), advice=_KEY_ADVICE) from error
    except PermissionError as error:
        raise Denied(
            channel, operation, "the server denies it", advice="The account needs to list and read."
        ) from error
    except FileNotFoundError as error:
        words = str(error.filename or error.strerror or error)
        raise Rejected(
            channel, operation, words, advice="Check sftp_folder, sftp_known_hosts and sftp_key_file."
        ) from error
    except UnicodeDecodeError as error:  # paramiko takes no other names
        words, advice = "a file there has a name that is not in UTF-8", "Rename it there, or have the till do so."
        raise Rejected(channel, operation, words, advice=advice) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise Unreachable(channel, operation, str(error) or type(error).__name__) from error
