"""Objects in a bucket of S3, or of a service like it. Needs the extra ``s3`` (boto3).

Objects appear whole, so none has to come to rest. Nothing is moved or deleted there: what was fetched is remembered
by its name and ETag for as long as the bucket lists it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import boto3  # type: ignore[import-not-found, import-untyped, unused-ignore]
from botocore.config import Config  # type: ignore[import-not-found, import-untyped, unused-ignore]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-not-found, import-untyped, unused-ignore]

from channels.aws import failure, status_of
from channels.errors import ChannelError, Rejected
from channels.pos_csv.fetching import Changed, Remote
from channels.pos_csv.places import PlaceSettings

#: How much of an object is copied at a time, in bytes.
_CHUNK = 1 << 18

#: Answers that mean that an object is not the one that was listed: gone, or of another ETag.
_CHANGED = (404, 412)

_ADVICE = (
    "Check s3_bucket, s3_endpoint_url, s3_access_key_id and s3_secret_access_key, and the key's right to "
    "s3:ListBucket and s3:GetObject."
)


class S3Source:
    """The objects below one prefix of a bucket.

    Parameters:
        channel: The channel's name, for errors.
    """

    def __init__(self, channel: str, settings: PlaceSettings) -> None:
        self._channel = channel
        self._settings = settings

    @contextlib.contextmanager
    def open(self) -> Iterator[S3Place]:
        """Make a client, and close its connections in the end."""
        settings = self._settings
        secret = settings.s3_secret_access_key
        try:
            client: Any = boto3.client(
                "s3",
                region_name=settings.s3_region or ("us-east-1" if settings.s3_endpoint_url else None),
                endpoint_url=settings.s3_endpoint_url,
                aws_access_key_id=settings.s3_access_key_id,
                aws_secret_access_key=secret.get_secret_value() if secret else None,
                config=Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1}),
            )
        except (BotoCoreError, ValueError) as error:
            raise Rejected(self._channel, "connect to S3", str(error), advice=_ADVICE) from error
        try:
            yield S3Place(self._channel, settings, client)
        finally:
            client.close()


class S3Place:
    """The bucket while a client is open. See :class:`channels.pos_csv.fetching.Place`."""

    whole = True

    def __init__(self, channel: str, settings: PlaceSettings, client: Any) -> None:
        self._channel = channel
        self._settings = settings
        self._client = client

    def files(self) -> list[Remote]:
        """See :meth:`Place.files`: the objects directly below the prefix, by what follows it in their keys."""
        prefix = self._settings.s3_prefix
        found = []
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._settings.s3_bucket, Prefix=prefix, Delimiter="/"
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    name, written = entry["Key"].removeprefix(prefix), entry["LastModified"].timestamp()
                    found.append(Remote(name, entry["ETag"], entry["Size"], written))
        except (BotoCoreError, ClientError) as error:
            raise self._failure("list the bucket", error) from error
        return found

    def fetch(self, remote: Remote, out: BinaryIO) -> None:
        """See :meth:`Place.fetch`."""
        try:
            answer = self._client.get_object(
                Bucket=self._settings.s3_bucket, Key=self._settings.s3_prefix + remote.name, IfMatch=remote.stamp
            )
            with contextlib.closing(answer["Body"]) as body:
                for chunk in body.iter_chunks(_CHUNK):
                    out.write(chunk)
        except ClientError as error:
            if status_of(error) in _CHANGED:
                raise Changed(remote.name) from error
            raise self._failure(f"fetch {remote.name}", error) from error
        except BotoCoreError as error:
            raise self._failure(f"fetch {remote.name}", error) from error

    def retire(self, remote: Remote) -> bool:
        """Never: to move an object is to copy and delete it."""
        return False

    def _failure(self, operation: str, error: Exception) -> ChannelError:
        return failure(self._channel, operation, error, place=self._settings.s3_endpoint_url or "S3", advice=_ADVICE)
