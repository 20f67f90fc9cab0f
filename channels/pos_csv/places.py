"""The settings of where a till's files lie: a folder here, and where they are fetched from when that is elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from channels.contract import ChannelSettings


class PlaceSettings(ChannelSettings):
    """Where the files lie, and when they are taken."""

    path: Path
    """The folder into which the till exports; it must exist, and everything below it is the worker's to move. With
    ``sftp_host`` or ``s3_bucket``: the folder into which files are fetched from there."""

    pattern: str = Field("*.csv", min_length=1)
    """Which file names are taken, as a shell pattern; upper and lower case are the same."""

    max_bytes: int = Field(256 * 1024 * 1024, ge=1)
    """Larger files are set aside unread, or not fetched at all."""

    quiet_s: float = Field(1.0, ge=0, le=3600)
    """For how long a file must have been left alone before it is taken, unless it was renamed into place; 0: taken
    as it is found, even while it is being written."""

    lease_s: float = Field(120.0, gt=0)
    """How long a worker on another machine may be silent before the file that it was reading is taken from it."""

    sftp_host: str | None = Field(None, min_length=1)
    """The SFTP server from which files are fetched; needs the extra ``sftp``. Unset: the till exports into ``path``."""

    sftp_port: int = Field(22, ge=1, le=65_535)
    """Its port."""

    sftp_user: str | None = Field(None, min_length=1)
    """The account there."""

    sftp_password: SecretStr | None = None
    """The password of the account, or of the private key where ``sftp_key_file`` is set."""

    sftp_key_file: Path | None = None
    """A file with a private key, instead of a password."""

    sftp_known_hosts: Path | None = None
    """A file in the form of OpenSSH's known_hosts with the server's key. A server that is not in it is refused."""

    sftp_fingerprint: str | None = None
    """The fingerprint of the server's key instead (``SHA256:...``, as ssh shows it)."""

    sftp_folder: str = Field(".", min_length=1)
    """The folder there."""

    sftp_processed: str = "processed"
    """The folder there, inside ``sftp_folder``, into which files are moved once they were read; empty: they are left
    where they are and remembered, as they are when the account may not move them."""

    s3_bucket: str | None = Field(None, min_length=1)
    """The bucket of S3, or of a service like it, from which files are fetched; needs the extra ``s3``."""

    s3_prefix: str = ""
    """What their keys begin with, such as ``exports/``."""

    s3_endpoint_url: str | None = None
    """The address of a service that is not Amazon's."""

    s3_region: str | None = None
    """The region of the bucket; unset: looked for where boto3 looks."""

    s3_access_key_id: str | None = None
    """The key that may list the bucket and get its objects; unset: looked for where boto3 looks."""

    s3_secret_access_key: SecretStr | None = None
    """Its secret."""

    @field_validator("path", "sftp_key_file", "sftp_known_hosts", mode="after")
    @classmethod
    def _expand(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path else None

    @field_validator("sftp_fingerprint", mode="after")
    @classmethod
    def _sha256(cls, fingerprint: str | None) -> str | None:
        if fingerprint is not None and not fingerprint.startswith("SHA256:"):
            raise ValueError("must be of the form SHA256:..., as ssh-keygen -lf shows it")
        return fingerprint

    @property
    def is_fetched(self) -> bool:
        """Whether files come from elsewhere."""
        return bool(self.sftp_host or self.s3_bucket)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.sftp_host and self.s3_bucket:
            raise ValueError("set sftp_host or s3_bucket, not both")
        if self.sftp_host:
            if not self.sftp_user or not (self.sftp_password or self.sftp_key_file):
                raise ValueError("sftp_host needs sftp_user, and sftp_password or sftp_key_file")
            if (self.sftp_known_hosts is None) == (self.sftp_fingerprint is None):
                raise ValueError(
                    "sftp_host needs either sftp_known_hosts or sftp_fingerprint, or anyone could pose as the server"
                )
        if (self.s3_access_key_id is None) != (self.s3_secret_access_key is None):
            raise ValueError("s3_access_key_id and s3_secret_access_key belong together")
        return self
