"""HTTP as every adapter needs it: timeouts on each call, no retries behind one's back, typed errors.

An adapter subclasses :class:`HttpClient` and says how its channel phrases quotas and errors; what a status
means for the caller stands here, once.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter

from channels.errors import (
    ChannelError,
    Denied,
    Incomprehensible,
    Rejected,
    Throttled,
    Unanswered,
    Unreachable,
)
from channels.services import Budget, Quota

#: Seconds to wait for a connection, and then for each part of the answer.
TIMEOUT_S = (5.0, 30.0)

#: Seconds to come again after when a 429 names no time.
UNNAMED_PAUSE_S = 1.0

#: The most of an answer's text that goes into an error message, in characters.
WORDS_LIMIT = 300


class Words(NamedTuple):
    """What a channel's error body says."""

    text: str
    fields: Mapping[str, str] = {}
    advice: str = ""


class _Session(requests.Session):
    """Goes nowhere but where it is told to."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None at all. Requests would work it out even where it follows none, and fail on one that is no address."""


class HttpClient:
    """One channel's HTTP session.

    Parameters:
        channel: The channel's name, for errors.
        base_url: What every path is put behind; without a slash at its end.
        budget: Leave to call, shared with other processes.
        timeout_s: Connect and read timeout.
        connections: Connections kept open; the most threads that call at once.
    """

    def __init__(
        self,
        channel: str,
        base_url: str,
        *,
        budget: Budget,
        timeout_s: tuple[float, float] = TIMEOUT_S,
        connections: int = 16,
    ) -> None:
        self.channel = channel
        self.base_url = base_url.rstrip("/")
        self.budget = budget
        self.timeout_s = timeout_s
        self.session = _Session()
        # No proxy or .netrc of the machine may see a merchant's token unasked, and nothing is retried unseen.
        self.session.trust_env = False
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
        self.session.mount("http://", adapter)
        self.session.mount("https://", adapter)

    def headers(self) -> Mapping[str, str]:
        """Headers of every request, credentials among them. Asked for anew each time."""
        return {}

    def quota(self, operation: str, response: requests.Response) -> Quota:
        """What the answer says about the quota."""
        return Quota()

    def pause_s(self, response: requests.Response) -> float:
        """How long a 429 asks to wait, in seconds; 0 where it does not say."""
        return 0.0

    def words(self, response: requests.Response) -> Words:
        """The channel's own words in an error answer. Must not raise, whatever the body is."""
        return Words(plain_text(response))

    def request_id(self, response: requests.Response) -> str:
        """The channel's id of the request, for its support desk."""
        return ""

    def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
    ) -> requests.Response:
        """Make one call and return its answer, a 2xx.

        Raises:
            Denied, Rejected, Throttled, Unreachable, Unanswered: see :mod:`channels.errors`.
        """
        # Headers first: a credential that cannot be had must not cost leave to call.
        headers = dict(self.headers())
        self.budget.enter(operation)
        try:
            response = self.session.request(
                method,
                self.base_url + path,
                params=params,
                json=json,
                headers=headers,
                timeout=self.timeout_s,
                allow_redirects=False,
            )
        except BaseException as error:
            self.budget.leave(operation, Quota())
            if isinstance(error, requests.RequestException):
                raise self.failure(operation, error) from error
            raise
        pause_s = self.pause_s(response) if response.status_code == 429 else None
        quota = self.quota(operation, response)
        self.budget.leave(operation, quota, throttled_s=pause_s, status=response.status_code)
        if 200 <= response.status_code < 300:
            return response
        raise self.refusal(operation, response)

    def failure(self, operation: str, error: requests.RequestException) -> ChannelError:
        """The error for a call that got no answer: was it sent or not?"""
        if isinstance(error, ValueError):  # its address or a header is none
            return Unreachable(self.channel, operation, f"the request could not be made ({type(error).__name__})")
        if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
            return Unreachable(self.channel, operation, f"no connection to {self.base_url}")
        if _is_not_trusted(error):
            return Unreachable(self.channel, operation, f"the certificate of {self.base_url} is not trusted")
        if isinstance(error, requests.Timeout):
            return Unanswered(self.channel, operation, f"no answer within {self.timeout_s[1]:g} s")
        if isinstance(error, requests.exceptions.SSLError):
            return Unanswered(self.channel, operation, f"TLS with {self.base_url} failed")
        if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            return Unanswered(self.channel, operation, "the connection broke before the answer was whole")
        return Unanswered(self.channel, operation, f"the answer could not be read ({type(error).__name__})")

    def refusal(self, operation: str, response: requests.Response) -> ChannelError:
        """The error for an answer that is not a 2xx."""
        status, request_id = response.status_code, self.request_id(response)
        words = self.words(response)
        if status == 429:
            pause_s = self.pause_s(response) or UNNAMED_PAUSE_S
            return Throttled(
                self.channel, operation, words.text, retry_after_s=pause_s, status=status, request_id=request_id
            )
        if status in (401, 403):
            kind: type[ChannelError] = Denied
        elif status >= 500:
            kind = Unanswered
        elif status >= 400:
            kind = Rejected
        else:
            kind = Incomprehensible
        return kind(
            self.channel,
            operation,
            words.text,
            status=status,
            request_id=request_id,
            fields=words.fields,
            advice=words.advice,
        )

    def json(self, operation: str, response: requests.Response) -> Any:
        """The answer's JSON body.

        Raises:
            Incomprehensible: it is not JSON.
        """
        try:
            return decoded(response)
        except ValueError as error:
            raise Incomprehensible(
                self.channel,
                operation,
                f"expected JSON, got {plain_text(response)!r}",
                status=response.status_code,
                request_id=self.request_id(response),
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self.session.close()


def decoded(response: requests.Response) -> Any:
    """The JSON of a body.

    Raises:
        ValueError: it is none, or none that can be held: nested too deep, a number of thousands of digits.
    """
    try:
        return json.loads(response.content)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def text_of(response: requests.Response) -> str:
    """The text of a body, whatever alphabet it says to be in."""
    try:
        return response.text
    except ValueError:  # there is such an alphabet, and it is no good for this
        return response.content.decode(errors="replace")


def plain_text(response: requests.Response) -> str:
    """The beginning of a body on one line, or the reason phrase where there is none."""
    text = " ".join(text_of(response).split())
    return text[:WORDS_LIMIT] or response.reason or "no reason given"


def _reason(error: requests.RequestException) -> object:
    """What urllib3 says that requests has wrapped."""
    cause = error.args[0] if error.args else None
    return getattr(cause, "reason", cause)


def _never_connected(error: requests.RequestException) -> bool:
    """Whether the connection itself failed (refused, no such host), so that nothing can have been sent."""
    return type(_reason(error)).__name__ in {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError"}


def _is_not_trusted(error: requests.RequestException) -> bool:
    """Whether the server could not prove who it is. Any other trouble with TLS may come when all has been sent."""
    reason = _reason(error)
    return any(isinstance(part, ssl.SSLCertVerificationError) for part in getattr(reason, "args", ()))
