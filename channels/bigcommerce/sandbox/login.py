"""BigCommerce's login server as the marketplace knows it: codes become tokens, and callbacks are signed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlencode

from flask import Flask, request
from werkzeug.wrappers import Response

from channels.bigcommerce.sandbox.store import Store
from channels.sandbox import Faults, Troubled, served

FIELDS = ("client_id", "client_secret", "code", "context", "scope", "grant_type", "redirect_uri")

#: What an app of ours asks for.
SCOPES = "store_v2_products store_v2_orders_read_only store_v2_information_read_only"

#: For how long a signed request is valid, in seconds.
VALID_S = 24 * 3600


class LoginSandbox:
    """The login server, and the control panels of the stores that have an app.

    Parameters:
        client_id, client_secret: The app.
        redirect_uri: The auth callback that is registered for it.
        clock: Unix time in seconds.
    """

    def __init__(
        self, client_id: str, client_secret: str, redirect_uri: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.redirect_uri = redirect_uri
        self.clock = clock
        self.faults = Faults()
        #: The fields of every request for a token.
        self.asked: list[dict[str, str]] = []
        self._codes: dict[str, tuple[Store, str]] = {}
        self.app = Troubled(self._flask(), self.faults, lambda status: Response("{}", status))

    def serve(self, port: int = 0) -> AbstractContextManager[str]:
        """Serve from a thread while the block runs; gives the base URL."""
        return served(self.app, port)

    def install(self, store: Store, scope: str = SCOPES) -> str:
        """A merchant presses "install": the query with which the browser is sent to the app."""
        code = secrets.token_urlsafe(24)
        self._codes[code] = (store, scope)
        query = {"account_uuid": str(uuid.uuid4()), "code": code, "context": context_of(store), "scope": scope}
        return urlencode(query)

    def signed(self, store: Store, *, secret: str = "", algorithm: str = "HS256", **changes: Any) -> str:
        """The query of a signed request; keywords change its claims, ``None`` leaves one out."""
        now = int(self.clock())
        claims = {
            "aud": self.client_id,
            "iss": "bc",
            "iat": now,
            "nbf": now - 5,
            "exp": now + VALID_S,
            "jti": str(uuid.uuid4()),
            "sub": context_of(store),
            "user": {"id": 9876543, "email": "user@example.com", "locale": "en-US"},
            "owner": {"id": 7654321, "email": "owner@example.com"},
            "url": "/",
            "channel_id": None,
        }
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        return urlencode({"signed_payload_jwt": _jwt(claims, secret or self.client_secret, algorithm)})

    def uninstall(self, store: Store) -> str:
        """The owner uninstalls the app: its token and its hooks are gone. The query of the callback."""
        with store.lock:
            store.token = secrets.token_hex(16)
            store.hooks.clear()
        return self.signed(store)

    def _flask(self) -> Flask:
        app = Flask(__name__)

        @app.post("/oauth2/token")
        def token() -> Response:
            # documented as JSON; the official client sends a form
            sent = request.get_json(silent=True) or request.form.to_dict()
            self.asked.append(sent)
            if set(FIELDS) - set(sent):
                return _json({"error": "invalid_request"}, 400)
            ours = (self.client_id, self.client_secret, self.redirect_uri, "authorization_code")
            if (sent["client_id"], sent["client_secret"], sent["redirect_uri"], sent["grant_type"]) != ours:
                return _json({"error": "invalid_client"}, 401)
            store, scope = self._codes.pop(sent["code"], (None, ""))
            if store is None or sent["context"] != context_of(store):
                return _json({"error": "invalid_grant"}, 400)
            with store.lock:
                store.token, store.scopes = secrets.token_hex(16), set(scope.split())
                store.client_id, store.client_secret = self.client_id, self.client_secret
            user = {"id": 9876543, "username": "user@example.com", "email": "user@example.com"}
            return _json(
                {
                    "access_token": store.token,
                    "scope": scope,
                    "user": user,
                    "owner": user,
                    "context": context_of(store),
                    "account_uuid": str(uuid.uuid4()),
                }
            )

        return app


def context_of(store: Store) -> str:
    """How a store is called."""
    return f"stores/{store.store_hash}"


def _jwt(claims: dict[str, Any], secret: str, algorithm: str) -> str:
    head = {"typ": "JWT", "alg": algorithm}
    signed = ".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
    if algorithm == "none":
        return f"{signed}."
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    return f"{signed}.{_base64(hmac.new(secret.encode(), signed.encode(), digest).digest())}"


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _json(body: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(body), status, mimetype="application/json")
