"""What can go wrong on our own side. Each message is one line that says what happened and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import click
from kombu.exceptions import OperationalError


class SyncError(click.ClickException):
    """The root of the worker's own errors. Under a command it ends in one line and exit code 1, no traceback."""


class SettingsError(SyncError):
    """The settings are wrong. The message names the file, the key and what would be right."""


class StoreError(SyncError):
    """The stock of record cannot be reached or cannot be used."""


class BrokerError(SyncError, OperationalError):
    """The broker does not answer."""

    def __init__(self, error: OperationalError) -> None:
        super().__init__(f"the broker does not answer ({error}); is broker_url right, and is it running?")


class UnknownChannel(SyncError):
    """A channel was named that the settings do not have."""


def instead(wrong: object, known: Iterable[str]) -> str:
    """The end of a message about a wrong name: the one that was probably meant, or all that there are."""
    names = list(known)
    close = difflib.get_close_matches(str(wrong), names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(names)}"
