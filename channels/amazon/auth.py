"""Login with Amazon: the access token that every call carries, shared by all processes of one credential."""

from __future__ import annotations

import hashlib
import threading
import time

import requests
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from channels.amazon.settings import AmazonSettings
from channels.errors import ChannelError, Denied, Throttled, Unreachable
from channels.http import HttpClient, Words, plain_text
from channels.services import Memory, Unlimited

#: A token is renewed this long before its end, in seconds, so that none ends on its way.
MARGIN_S = 60.0

#: A refused token is not renewed more often than this, in seconds: a missing role looks like an ended token.
RENEWAL_PAUSE_S = 60.0

OPERATION = "get an access token"

ADVICE = (
    "Check client_id, client_secret and refresh_token in the settings; "
    "if the seller withdrew the authorisation, authorise the application again."
)


class Grant(BaseModel):
    """What Login with Amazon answers (SP-API documentation, "Connect to the Selling Partner API")."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    access_token: str = Field(pattern=r"^[!-~]+$", repr=False)
    expires_in: float = Field(gt=0, lt=1e9)


class Complaint(BaseModel):
    """What it answers when it refuses: the form of OAuth, not that of the Selling Partner API."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    error: str
    error_description: str = ""


class TokenClient(HttpClient):
    """The HTTP half: one form sent, one grant received."""

    def words(self, response: requests.Response) -> Words:
        """See :meth:`HttpClient.words`."""
        try:
            complaint = Complaint.model_validate_json(response.content)
        except ValidationError:
            return Words(plain_text(response))
        return Words(": ".join(part for part in (complaint.error, complaint.error_description) if part))

    def grant(self, form: dict[str, str]) -> Grant:
        """Ask for a token.

        Raises:
            Denied: the credentials are wrong, or the authorisation was withdrawn.
            Throttled: too many tokens were asked for.
            Unreachable: no token came for another reason, so the call that needs it cannot be made.
        """
        try:
            response = self.session.post(self.base_url, data=form, timeout=self.timeout_s, allow_redirects=False)
        except requests.RequestException as error:
            raise self._unreachable(self.failure(OPERATION, error)) from error
        if response.status_code == 200:
            try:
                return Grant.model_validate_json(response.content)
            except ValidationError as error:
                words = "the answer is not an access token; check auth_url"
                raise Unreachable(self.channel, OPERATION, words, status=200) from error
        refusal = self.refusal(OPERATION, response)
        if isinstance(refusal, Throttled):
            raise refusal
        if 400 <= response.status_code < 500:
            raise Denied(self.channel, OPERATION, refusal.words, status=refusal.status, advice=ADVICE)
        raise self._unreachable(refusal)

    def _unreachable(self, error: ChannelError) -> Unreachable:
        # Whatever happened here, nothing has reached the Selling Partner API.
        return Unreachable(self.channel, OPERATION, error.words, status=error.status)


class AccessTokens:
    """The current access token of one credential. Safe to use from several threads at once.

    Parameters:
        channel: The channel's name, for errors.
        settings: Whose credentials are exchanged.
        memory: Where the token is kept, shared between processes.
    """

    def __init__(self, channel: str, settings: AmazonSettings, memory: Memory) -> None:
        self._client = TokenClient(channel, settings.auth_url, budget=Unlimited())
        self._settings = settings
        self._memory = memory
        self._lock = threading.Lock()
        self._renewed_at: float | None = None
        credential = "\n".join(
            (settings.auth_url, settings.client_id, settings.refresh_token.get_secret_value()),
        )
        #: Names the credential without telling it, so that a changed one never meets the token of the old.
        self._key = f"amazon:token:{hashlib.sha256(credential.encode()).hexdigest()[:16]}"

    def token(self) -> str:
        """The token to call with, fetched when there is none.

        Raises:
            Denied, Throttled, Unreachable: see :meth:`TokenClient.grant`.
        """
        token = self._memory.get(self._key)
        if token:
            return token
        with self._lock:
            return self._memory.get(self._key) or self._fetch()

    def refused(self, token: str) -> bool:
        """Say that Amazon refused this token; answers whether another one is worth a try."""
        with self._lock:
            if self._memory.get(self._key) not in (token, None):
                return True
            if self._renewed_at is not None and time.monotonic() - self._renewed_at < RENEWAL_PAUSE_S:
                return False
            self._renewed_at = time.monotonic()
            self._memory.forget(self._key)
            return True

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _fetch(self) -> str:
        grant = self._client.grant(
            {
                "grant_type": "refresh_token",
                "refresh_token": self._settings.refresh_token.get_secret_value(),
                "client_id": self._settings.client_id,
                "client_secret": self._settings.client_secret.get_secret_value(),
            }
        )
        lives_s = max(grant.expires_in - MARGIN_S, grant.expires_in / 2)
        self._memory.put(self._key, grant.access_token, ttl_s=lives_s)
        return grant.access_token
