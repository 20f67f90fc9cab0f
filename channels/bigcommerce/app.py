"""A marketplace app at BigCommerce: what gives it a store's token, and the signed requests that follow.

A merchant who installs the app is sent to its callback with a code, which is exchanged for the store's token. Later
requests (load, uninstall, remove a user) carry a JWT that is signed with the app's client secret. Sources:
docs/integrations/apps/guide/auth.mdx and callbacks.mdx of github.com/bigcommerce/docs. Needs the extra ``oauth``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jwt
import requests
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from channels.bigcommerce.settings import WriteMode
from channels.fields import Secret

#: Where codes are exchanged.
LOGIN_URL = "https://login.bigcommerce.com"

#: How a store is called, in codes and callbacks.
CONTEXT = re.compile(r"stores/([a-z0-9]{1,24})")

#: Seconds to wait for a connection to the login server, and for its answer: a person waits in front of a browser.
TIMEOUT_S = (3.0, 10.0)

#: A code is short; what is longer is none.
LONGEST_CODE = 512

#: The algorithms of a callback's signature, and by how many seconds its times may be off: ``nbf`` of the documented
#: example lies before its ``iat``.
ALGORITHMS = ("HS256", "HS512")
LEEWAY_S = 60

#: What every way of writing needs; ``_read_only`` stands for the right to read alone.
SCOPES = ("store_v2_products", "store_v2_orders_read_only", "store_v2_information_read_only")

#: What the Inventory API needs beside.
INVENTORY_SCOPES = ("store_inventory", "store_locations_read_only")

READ_ONLY = "_read_only"


class AppError(Exception):
    """A request for the app is refused. The message is for people, and holds no secret.

    Parameters:
        message: What is wrong, and what to do.
        status: The HTTP status to answer with.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _Answer(BaseModel):
    """What the login server answers; there is no refresh token, and the access token does not end."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    access_token: Secret
    scope: str
    context: str


class Grant(NamedTuple):
    """A store's token, and what it may do."""

    store_hash: str
    access_token: SecretStr
    scopes: tuple[str, ...]


class Callback(NamedTuple):
    """A request that BigCommerce has signed."""

    store_hash: str
    #: The id of this message, unique for ever.
    id: str
    #: When it was signed, in unix seconds by BigCommerce's clock.
    issued_at: float


@dataclass(frozen=True, slots=True)
class BigCommerceApp:
    """The app, as it is registered in the developer portal."""

    client_id: str
    client_secret: SecretStr
    #: The auth callback, exactly as it is registered.
    redirect_uri: str
    login_url: str = LOGIN_URL

    def exchange(self, code: str, context: str, scope: str) -> Grant:
        """Exchange the code of an installation for the store's token. A code can be exchanged once.

        Raises:
            AppError: it is refused, or the login server does not answer.
        """
        store_hash = store_of(context)
        if not code or len(code) > LONGEST_CODE:
            raise AppError("the request holds no code; install the app from the store's control panel", 400)
        body = {
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
            "code": code,
            "context": context,
            "scope": scope,
            "grant_type": "authorization_code",
            "redirect_uri": self.redirect_uri,
        }
        answer = self._ask(body)
        if answer.context != context:
            raise AppError("the code is of another store; install the app from the store's control panel", 403)
        return Grant(store_hash, answer.access_token, tuple(answer.scope.split()))

    def read(self, token: str) -> Callback:
        """Verify a signed callback.

        Raises:
            AppError: it is not signed by BigCommerce, not meant for this app, or of another time.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self.client_secret.get_secret_value(),
                algorithms=ALGORITHMS,
                audience=self.client_id,
                leeway=LEEWAY_S,
                options={"require": ["aud", "exp", "iat", "sub", "jti"]},
            )
        except jwt.ExpiredSignatureError:
            raise AppError("the request is too old; open the app from the store's control panel again", 401) from None
        except jwt.InvalidTokenError:
            # its words may repeat a part of what was sent, so they are not passed on
            raise AppError("the request is not signed by BigCommerce for this app", 401) from None
        return Callback(store_of(str(claims["sub"])), str(claims["jti"]), float(claims["iat"]))

    def _ask(self, body: dict[str, str]) -> _Answer:
        with requests.Session() as session:
            session.trust_env = False  # no proxy or .netrc of the machine may see the secret unasked
            try:
                response = session.post(
                    f"{self.login_url}/oauth2/token", json=body, timeout=TIMEOUT_S, allow_redirects=False
                )
            except requests.RequestException:
                raise AppError("BigCommerce's login server does not answer; install the app again", 502) from None
        if response.status_code >= 500:
            raise AppError(f"BigCommerce's login server answers {response.status_code}; install the app again", 502)
        if response.status_code != 200:
            words = "the code is refused: it was used before, or is not of this app; install the app again"
            raise AppError(words, 400)
        try:
            return _Answer.model_validate_json(response.content)
        except ValidationError:
            raise AppError("BigCommerce's login server answers something else than a token", 502) from None


def store_of(context: str) -> str:
    """The store hash of ``stores/{hash}``.

    Raises:
        AppError: it is not of that form.
    """
    match = CONTEXT.fullmatch(context)
    if match is None:
        raise AppError("the request does not name a store", 400)
    return match[1]


def missing_scopes(write: WriteMode, granted: Sequence[str]) -> list[str]:
    """The scopes that a way of writing needs and a token does not have. Who may modify may read."""
    needed = SCOPES if write == "catalog" else SCOPES + INVENTORY_SCOPES
    return [scope for scope in needed if not {scope, scope.removesuffix(READ_ONLY)} & set(granted)]
