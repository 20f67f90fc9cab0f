"""What boto3 says when a call of S3 or SQS fails, in the words of :mod:`channels.errors`. Needs boto3, an extra."""

from __future__ import annotations

from botocore.exceptions import (  # type: ignore[import-not-found, import-untyped, unused-ignore]
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
)

from channels.errors import ChannelError, Denied, Rejected, Unanswered, Unreachable


def failure(channel: str, operation: str, error: Exception, *, place: str, advice: str) -> ChannelError:
    """The error for a call that failed.

    Parameters:
        error: A ``ClientError`` or a ``BotoCoreError``.
        place: What was called, for people.
        advice: What to check where the service refuses.
    """
    if isinstance(error, ClientError):
        status = status_of(error)
        words = str(error.response.get("Error", {}).get("Message") or error)
        if status in (401, 403):
            return Denied(channel, operation, words, status=status, advice=advice)
        if 400 <= status < 500:
            return Rejected(channel, operation, words, status=status, advice=advice)
        return Unanswered(channel, operation, words, status=status or None)
    if isinstance(error, NoCredentialsError):
        return Denied(channel, operation, "no AWS key was found", advice=advice)
    if isinstance(error, EndpointConnectionError):
        return Unreachable(channel, operation, f"no connection to {place}")
    return Unanswered(channel, operation, type(error).__name__)


def status_of(error: ClientError) -> int:
    """The HTTP status of a refusal; 0 where there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
