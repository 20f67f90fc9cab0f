"""What a shell completes after our commands: channels by the settings, SKUs and held runs by the store.

``eval "$(_CELERY_COMPLETE=bash_source celery)"`` turns it on (zsh and fish likewise). Completing starts nothing and
says nothing: where the settings are wrong or the store does not answer, there is nothing to offer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import click
import redis
from click.shell_completion import CompletionItem

from sync.celery import app
from sync.errors import SyncError
from sync.guard.holds import Holds
from sync.storage import embedded
from sync.storage.store import PREFIX, Store, fold

#: The most names that are offered; with more nobody reads them.
MOST = 50

#: How long it may take to find them, in seconds.
PATIENCE_S = 0.5


def channels(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of channels."""
    try:
        return [name for name in app.context.settings.channel_names if name.startswith(incomplete)]
    except SyncError:
        return []


def skus(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """SKUs that begin so, whatever the case; as they were first written."""
    try:
        return sorted(_skus(fold(incomplete)))
    except (SyncError, redis.RedisError):
        return []


def holds(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Held runs that wait for a person, each with what it is."""
    try:
        store = _running_store()
        found = Holds(store).open_ones() if store else []
    except (SyncError, redis.RedisError):
        return []
    return [
        CompletionItem(hold.id, help=f"{hold.kind.value} of {hold.channel}")
        for hold in found
        if hold.id.startswith(incomplete)
    ]


def _skus(start: str) -> Iterator[str]:
    store = _running_store()
    if store is None:
        return
    deadline, found = time.monotonic() + PATIENCE_S, set[str]()
    literal = "".join(f"\\{sign}" if sign in "*?[]\\" else sign for sign in start)
    for key in store.client.scan_iter(match=f"{PREFIX}{{*}}:sku:{literal}*", count=2000):
        if key not in found:
            found.add(key)
            yield str(store.client.hget(key, "sku") or key.split(":sku:", 1)[1])
        if len(found) >= MOST or time.monotonic() > deadline:
            return


def _running_store() -> Store | None:
    """The store, if it runs: a key pressed must not start one."""
    settings = app.context.settings
    if settings.redis_url:
        return Store(settings.redis_url.get_secret_value(), timeout_s=PATIENCE_S)
    if embedded.socket_path(settings.data_dir).exists():
        return Store(embedded.url(settings.data_dir), timeout_s=PATIENCE_S)
    return None
