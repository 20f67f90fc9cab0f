"""What can go wrong on our own side. Each message is one line that says what happened and what to do."""

from __future__ import annotations

import click


class SyncError(click.ClickException):
    """The root of the worker's own errors. Under a command it ends in one line and exit code 1, no traceback."""


class SettingsError(SyncError):
    """The settings are wrong. The message names the file, the key and what would be right."""


class StoreError(SyncError):
    """The stock of record cannot be reached or cannot be used."""


class UnknownChannel(SyncError):
    """A channel was named that the settings do not have."""
