"""What can go wrong with a channel, named by what the caller should do about it."""

from __future__ import annotations

from collections.abc import Mapping


class ChannelError(Exception):
    """A call to a channel failed. The message is one line that says what happened and what to do.

    Parameters:
        channel: The channel's name in the settings.
        operation: What was being done, as a short name (``read products``).
        words: The channel's own words, already free of secrets.
        status: The HTTP status, where there was an answer.
        request_id: The channel's id of the request, where it gave one.
        fields: Field names with the channel's message for each, where it gave them.
    """

    #: What the person who reads the message should do.
    advice = ""

    def __init__(
        self,
        channel: str,
        operation: str,
        words: str,
        *,
        status: int | None = None,
        request_id: str = "",
        fields: Mapping[str, str] | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(channel, operation, words)
        self.channel = channel
        self.operation = operation
        self.words = words
        self.status = status
        self.request_id = request_id
        self.fields = dict(fields or {})
        self.advice = advice or self.advice

    @property
    def reason(self) -> str:
        """The channel's words with its field messages, without channel and advice."""
        fields = "; ".join(f"{name}: {message}" for name, message in self.fields.items())
        return " ".join(part for part in (self.words, f"({fields})" if fields else "") if part)

    def __str__(self) -> str:
        status = f" (HTTP {self.status})" if self.status else ""
        request = f" [request {self.request_id}]" if self.request_id else ""
        advice = f" {self.advice}" if self.advice else ""
        return f"{self.channel}: {self.operation} failed{status}: {self.reason}{request}.{advice}"


class Denied(ChannelError):
    """The credential is wrong or lacks a right (401, 403). Nothing works until a person has mended it."""

    advice = "Check the channel's credentials and scopes in the settings."


class Rejected(ChannelError):
    """This request will not succeed as it stands (400, 404, 409, 413, 422). Split it, or park the row."""


class Throttled(ChannelError):
    """Too many calls (429, or no budget left). Certainly not applied; come again after ``retry_after_s``."""

    def __init__(self, *args: str, retry_after_s: float, status: int | None = None, request_id: str = "") -> None:
        channel, operation, words = args
        super().__init__(channel, operation, words, status=status, request_id=request_id)
        self.retry_after_s = retry_after_s


class Unreachable(ChannelError):
    """No connection came about, so nothing was sent. Certainly not applied; try again later."""

    advice = "Check the address in the settings and the network."


class Unanswered(ChannelError):
    """The request was sent and no usable answer came (timeout, reset, 5xx). It may have been applied or not."""

    advice = "It is tried again by itself."


class Incomprehensible(ChannelError):
    """The answer is not what the channel documents. A write that was answered so may have been applied."""

    advice = "If this stays, the address may not be the channel's API."
