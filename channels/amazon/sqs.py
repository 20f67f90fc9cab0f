"""The SQS queue into which Amazon puts notifications. Needs the extra ``sqs`` (boto3)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import boto3  # type: ignore[import-not-found, import-untyped, unused-ignore]
from botocore.config import Config  # type: ignore[import-not-found, import-untyped, unused-ignore]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-not-found, import-untyped, unused-ignore]

from channels.amazon.notifications import BadNotification, hint
from channels.amazon.settings import AmazonSettings
from channels.aws import failure
from channels.errors import ChannelError, Rejected
from channels.webhooks import Event

logger = logging.getLogger(__name__)

RECEIVE = "receive notifications"

#: The most messages that SQS gives at a time, and the longest it waits for the first, in seconds.
BATCH = 10
LONGEST_WAIT_S = 20

#: Where queues live that are Amazon's own; any other host is a stand-in, and is called at its root.
AWS_HOST = ".amazonaws.com"

ADVICE = "Check queue_url, aws_access_key_id and aws_secret_access_key, and the key's right to sqs:ReceiveMessage."


class NotificationQueue:
    """One queue.

    Parameters:
        channel: The channel's name, for errors.
        settings: Which queue, and who asks; without a key, boto3's own ways to find one are tried.
        queue_url: The address of the queue.

    Raises:
        Rejected: that is no address of a queue.
    """

    def __init__(self, channel: str, settings: AmazonSettings, queue_url: str) -> None:
        self._channel = channel
        self._settings = settings
        self._url = queue_url
        address = urlsplit(queue_url)
        host = address.hostname or ""
        secret = settings.aws_secret_access_key
        try:
            self._sqs: Any = boto3.client(
                "sqs",
                region_name=host.split(".")[1] if host.endswith(AWS_HOST) else "us-east-1",
                endpoint_url=None if host.endswith(AWS_HOST) else f"{address.scheme}://{address.netloc}",
                aws_access_key_id=settings.aws_access_key_id,
                aws_secret_access_key=secret.get_secret_value() if secret else None,
                config=Config(connect_timeout=5, read_timeout=LONGEST_WAIT_S + 10, retries={"total_max_attempts": 1}),
            )
        except (BotoCoreError, ValueError) as error:
            raise Rejected(channel, RECEIVE, str(error), advice=ADVICE) from error

    def hints(self, wait_s: int = 0) -> Iterator[list[Event]]:
        """All that waits in the queue, ten at a time, until it is empty; for the first, wait so many seconds.

        What was given is taken off the queue only when the next is asked for: a caller that falls gets it again.

        Raises:
            Denied, Rejected, Unreachable, Unanswered: the queue cannot be read.
        """
        wait_s = min(wait_s, LONGEST_WAIT_S)
        while True:
            messages = self._receive(wait_s)
            if not messages:
                return
            yield list(self._understood(messages))
            self._take_off(messages)
            wait_s = 0

    def waiting(self) -> int:
        """How many messages wait in it, about.

        Raises:
            Denied, Rejected, Unreachable, Unanswered: the queue cannot be asked.
        """
        names = ["ApproximateNumberOfMessages"]
        try:
            answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        except (BotoCoreError, ClientError) as error:
            raise self._failure(error) from error
        return int(answer.get("Attributes", {}).get(names[0], 0))

    def close(self) -> None:
        """Close all connections."""
        self._sqs.close()

    def _understood(self, messages: Sequence[dict[str, Any]]) -> Iterator[Event]:
        for message in messages:
            try:
                yield hint(self._settings, message["Body"])
            except BadNotification as error:
                logger.warning("%s: a message is dropped that is no notification: %s", self._channel, error)

    def _receive(self, wait_s: int) -> list[dict[str, Any]]:
        try:
            answer = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=wait_s)
        except (BotoCoreError, ClientError) as error:
            raise self._failure(error) from error
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    def _take_off(self, messages: Sequence[dict[str, Any]]) -> None:
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]} for number, message in enumerate(messages)
        ]
        try:
            self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> ChannelError:
        return failure(self._channel, RECEIVE, error, place=urlsplit(self._url).netloc, advice=ADVICE)
