"""The HTTP side: webhooks come in, probes and metrics go out. ``sync.web:app`` is the WSGI application.

``celery -A sync serve`` runs it under gunicorn with settings that fit (:mod:`sync.web.server`); any other WSGI server
may run it too. Its settings are the worker's, read when ``app`` is first asked for.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

from sync.errors import SyncError
from sync.web.application import create_app, ready_for_requests

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["create_app"]


def __getattr__(name: str) -> object:
    if name == "app":
        return _app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _app() -> Flask:
    from sync.celery import app as celery

    try:
        return create_app(ready_for_requests(celery))
    except SyncError as error:
        if "gunicorn" not in sys.modules:
            raise
        from gunicorn.errors import AppImportError  # type: ignore[import-untyped, unused-ignore]

        raise AppImportError(error.message) from error  # one line instead of a traceback for each of its workers
