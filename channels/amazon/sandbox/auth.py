"""Login with Amazon, as the mock gives access tokens."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

from flask import Blueprint, request
from werkzeug.wrappers import Response

from channels.amazon.sandbox.wire import Refused, answer

PATH = "/auth/o2/token"


class Gate:
    """Who may call. Safe across threads.

    Parameters:
        clock: The time in seconds.
        client_id, client_secret, refresh_token: The one credential that is right.
    """

    def __init__(self, clock: Callable[[], float], *, client_id: str, client_secret: str, refresh_token: str) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.refresh_token = refresh_token
        #: How long a token lives, in seconds.
        self.lives_s = 3600.0
        #: How many tokens were given.
        self.given = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {}

    def grant(self) -> str:
        """A new token."""
        with self._lock:
            self.given += 1
            token = "Atza|" + secrets.token_urlsafe(40)
            self._ends[token] = self._clock() + self.lives_s
            return token

    def check(self, token: str | None) -> None:
        """Let a call with this token pass.

        Raises:
            Refused: with a 403, as for a missing role.
        """
        denied = "Access to requested resource is denied."
        if not token:
            raise Refused(403, denied, "Access token is missing in the request header.")
        with self._lock:
            ends = self._ends.get(token)
        if ends is None:
            raise Refused(403, denied, "The access token you provided is revoked, malformed or invalid.")
        if self._clock() >= ends:
            raise Refused(403, denied, "The access token you provided has expired.")

    def end_all(self) -> None:
        """End every token at once."""
        with self._lock:
            self._ends = dict.fromkeys(self._ends, 0.0)


def blueprint(gate: Gate) -> Blueprint:
    """The route at which tokens are given."""
    routes = Blueprint("auth", __name__)

    @routes.post(PATH)
    def token() -> Response:
        form = request.form
        if form.get("grant_type") != "refresh_token":
            return _refusal("unsupported_grant_type", "The authorization grant type is not supported")
        if (form.get("client_id"), form.get("client_secret")) != (gate.client_id, gate.client_secret):
            return _refusal("invalid_client", "Client authentication failed", 401)
        if form.get("refresh_token") != gate.refresh_token:
            return _refusal("invalid_grant", "The request has an invalid grant parameter : refresh_token")
        return answer(
            {
                "access_token": gate.grant(),
                "token_type": "bearer",
                "expires_in": int(gate.lives_s),
                "refresh_token": gate.refresh_token,
            }
        )

    return routes


def _refusal(error: str, words: str, status: int = 400) -> Response:
    return answer({"error": error, "error_description": words}, status)
