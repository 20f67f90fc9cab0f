"""A process that reports: run by tests in a folder with settings, with the name of what is to go wrong."""

from __future__ import annotations

import logging
import sys

import requests
import sentry_sdk

from channels.errors import Denied
from sync.celery import app
from sync.telemetry import sentry

log = logging.getLogger("sync.reporting")

TOKEN, SECRET, UNKNOWN = "bc-access-token-1", "lwa-client-secret-1", "Atza|a-token-that-no-settings-name"


def secrets() -> None:
    """Secrets wherever they might be: in texts, arguments, fields, local variables, addresses, breadcrumbs."""
    server = str(app.context.settings.sentry_dsn.get_secret_value()).replace("public@", "").removesuffix("/1")
    requests.get(f"{server}/token?access_token={UNKNOWN}&secret={SECRET}", headers={"X-Auth-Token": TOKEN}, timeout=5)
    log.info("about to try with %s", TOKEN)
    try:
        _call({"Authorization": f"Bearer {UNKNOWN}", "X-Auth-Token": TOKEN})
    except RuntimeError:
        log.exception("it failed with %s", SECRET)
    log.error("the answer was %s", {"access_token": UNKNOWN, "expires_in": 3600})
    log.error("with fields", extra={"headers": {"X-Auth-Token": "a-token-in-a-field"}, "tried": [TOKEN]})
    log.error("redis://:pw-of-the-store@db:6379 does not answer")


def _call(headers: dict[str, str]) -> None:
    try:
        raise ValueError(f"refused: {headers}")
    except ValueError as error:
        raise RuntimeError(f"no token but {TOKEN}") from error


def flood() -> None:
    """Fifty of each of what is alike, and one of what is not."""
    for number in range(50):
        log.warning("429, nobody calls", extra={"trouble": "throttled", "channel": "store"})
        log.warning("refused", extra={"trouble": "parked", "channel": "store", "sku": f"SKU-{number}"})
        try:
            raise ZeroDivisionError(f"number {number}")
        except ZeroDivisionError:
            log.exception("a bug")
        try:
            raise Denied("market", "read", f"try {number}")
        except Denied:
            log.exception("the market refuses us, try %s", number)
        log.warning("what only a reader of the log wants to know")
    if len(sys.argv) > 2:
        log.error("something else")


if __name__ == "__main__":
    sentry.configure(app.context, app.conf.beat_schedule)
    logging.getLogger().setLevel(logging.INFO)
    {"secrets": secrets, "flood": flood}[sys.argv[1]]()
    sentry_sdk.flush(10)
